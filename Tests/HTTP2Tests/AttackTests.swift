import HTTP2
import Testing

/// What peers do to take more than their part, and what ends it; the whole of it against the real server is in
/// `Tests/Clients/test_attacks.py`.
@Suite struct AttackTests {
    @Test("resets that somebody answers for do not end the connection")
    func answeredResets() async throws {
        try await TestServer.withRawPeers({
            $0.floods.peerResetBurst = 10
            $0.floods.peerResetsPerSecond = 1
        }) { server in
            let peer = try RawPeer(port: server.port)
            for call in 0..<500 {
                let stream = UInt32(call * 2 + 1)
                peer.send(.request(stream, path: "/answered-for", endStream: false), .reset(stream, 8))
            }
            #expect(try !peer.roundTrip().contains { $0.kind == .goaway })
            #expect(server.metrics.count(of: .resetsReceived) == 500)
        }
    }

    @Test("frames that nghttp2 does not tell of are counted too", arguments: [0x77, 0xA, 0x10] as [UInt8])
    func unknownFrames(kind: UInt8) async throws {
        try await TestServer.withRawPeers { server in
            let peer = try RawPeer(port: server.port)
            for _ in 0..<10_000 { peer.send(bytes: [0, 0, 0, kind, 0, 0, 0, 0, 0]) }
            #expect(try peer.receive { $0.kind == .goaway }?.errorCode == HTTP2ErrorCode.enhanceYourCalm)
            #expect(server.metrics.count(of: .controlFrameFloods) == 1)
            #expect(server.log.all.filter { $0.hasPrefix("cut off") } == ["cut off controlFrames 127.0.0.1"])
        }
    }

    @Test("HEADERS for a stream that was reset are charged, though nobody hears of them")
    func ignoredHeaders() async throws {
        try await TestServer.withRawPeers { server in
            let peer = try RawPeer(port: server.port)
            peer.send(.request(1, path: "/refuse", endStream: false))
            _ = try peer.receive { $0.kind == .reset }
            for _ in 0..<10_000 { peer.send(.request(1, path: "/refuse", endStream: false)) }
            #expect(try peer.receive { $0.kind == .goaway }?.errorCode != HTTP2ErrorCode.noError)
            #expect(await eventually { server.metrics.active == 0 })
        }
    }

    @Test("a block that names one large field again and again ends the connection before it is read")
    func headerBomb() async throws {
        try await TestServer.withRawPeers { server in
            let peer = try RawPeer(port: server.port)
            var request = RawFrame.request(1, path: "/echo", endStream: true)
            request.flags = RawFrame.endStream
            // Indexed, so that one byte stands for all of it from then on.
            var bomb = RawFrame.literal("bomb", String(repeating: "x", count: 3_900))
            bomb[0] = 0x40
            request.payload += bomb
            peer.send(request)
            for _ in 0..<7 {
                peer.send(RawFrame(kind: .continuation, stream: 1, payload: [UInt8](repeating: 0xBE, count: 12_000)))
            }
            #expect(try peer.receive { $0.kind == .goaway }?.errorCode == HTTP2ErrorCode.enhanceYourCalm)
            #expect(server.metrics.count(of: .headerBombs) == 1)
        }
    }

    @Test("an answer that is not read ends alone, and others on the connection go on")
    func unreadStream() async throws {
        try await TestServer.withRawPeers({ $0.writeStallTimeoutNs = 200_000_000 }) { server in
            let peer = try RawPeer(port: server.port, settings: [(4, 10)])
            peer.send(.request(1, path: "/big/100000", endStream: true))
            #expect(try peer.receive { $0.kind == .reset }?.errorCode == HTTP2ErrorCode.enhanceYourCalm)
            #expect(server.metrics.count(of: .slowReaders) == 1)
            peer.send(.request(3, path: "/no-data", endStream: true))
            #expect(try peer.roundTrip().contains { $0.kind == .headers && $0.stream == 3 })
        }
    }

    @Test("a request whose end does not come is answered, unless it may go on")
    func overdueRequest() async throws {
        try await TestServer.withRawPeers({ $0.requestTimeoutNs = 100_000_000 }) { server in
            let peer = try RawPeer(port: server.port)
            peer.send(.request(1, path: "/hold-long", endStream: false), .request(3, path: "/hold", endStream: false))
            #expect(try peer.receive { $0.kind == .headers }?.stream == 3)
            #expect(server.metrics.count(of: .requestTimeouts) == 1)
            #expect(!server.log.all.contains { $0.hasPrefix("closed /hold-long") })
        }
    }

    @Test("strangers are served after those who are known, and every one of them is")
    func strangers() async throws {
        try await TestServer.withRawPeers({ $0.knowsCallers = true }) { server in
            let known = try RawPeer(port: server.port)
            known.send(.request(1, path: "/known", endStream: true))
            #expect(try known.receive { $0.kind == .headers && $0.stream == 1 } != nil)
            let peers = try (0..<100).map { _ in try RawPeer(port: server.port) }
            // More than is read of a stranger at once.
            for peer in peers {
                for call in 0..<200 { peer.send(.request(UInt32(call * 2 + 1), path: "/no-data", endStream: true)) }
            }
            known.send(.request(3, path: "/no-data", endStream: true))
            #expect(try known.receive { $0.kind == .headers && $0.stream == 3 } != nil)
            for peer in peers { #expect(try peer.receive { $0.kind == .headers && $0.stream == 399 } != nil) }
        }
    }

    @Test("a connection that pays for many resets is a stranger's for some time, whoever calls on it")
    func distrust() async throws {
        try await TestServer.withRawPeers({ $0.knowsCallers = true }) { server in
            let peer = try RawPeer(port: server.port)
            func call(_ stream: UInt32) throws {
                peer.send(.request(stream, path: "/known", endStream: true))
                #expect(try peer.receive { $0.kind == .headers && $0.stream == stream } != nil)
            }
            try call(1)
            try call(3)
            for stream in stride(from: UInt32(5), to: 1_805, by: 2) {
                peer.send(.request(stream, path: "/hold", endStream: false), .reset(stream, 8))
            }
            try call(1_805)
            #expect(server.log.all.filter { $0.hasPrefix("known") } == ["known: true", "known: true", "known: false"])
            #expect(try !peer.roundTrip().contains { $0.kind == .goaway })
        }
    }

    @Test("where no room is left idle connections give way, those first that never called")
    func eviction() async throws {
        try await TestServer.withRawPeers({ $0.connectionsMax = 3 }) { server in
            let called = try RawPeer(port: server.port)
            called.send(.request(1, path: "/no-data", endStream: true))
            _ = try called.receive { $0.kind == .headers }
            let busy = try RawPeer(port: server.port)
            busy.send(.request(1, path: "/hold", endStream: false))
            _ = try busy.roundTrip()
            let idle = try RawPeer(port: server.port)
            _ = try idle.roundTrip()
            let new = try RawPeer(port: server.port)
            new.send(.request(1, path: "/no-data", endStream: true))
            #expect(try new.receive { $0.kind == .headers } != nil)
            #expect(try idle.receive { $0.kind == .goaway }?.errorCode == HTTP2ErrorCode.noError)
            #expect(server.metrics.count(of: .evictions) >= 1)
            busy.send(.data(1, [], endStream: true))
            #expect(try !busy.roundTrip().contains { $0.kind == .goaway })
        }
    }
}

import HTTP2
import SeededRandom
import Testing

/// Our server with peers that say odd things, byte by byte.
@Suite struct RawServerTests {
    private func dataBytes(_ frames: [RawFrame], _ stream: UInt32) -> Int {
        frames.filter { $0.kind == .data && $0.stream == stream }.reduce(0) { $0 + $1.payload.count }
    }

    @Test("an answer is HEADERS, DATA and HEADERS that end the stream, with no empty DATA between")
    func framesOfAnAnswer() async throws {
        try await TestServer.withRawPeers { server in
            let peer = try RawPeer(port: server.port)
            peer.send(.request(1, path: "/echo", endStream: false), .data(1, [1, 2, 3], endStream: true))
            let frames = try peer.roundTrip().filter { $0.stream == 1 }
            try #require(frames.map(\.kind) == [.headers, .data, .headers])
            #expect(frames.map { $0.flags & RawFrame.endStream } == [0, 0, 1])
            #expect(frames[1].payload == [1, 2, 3])
            peer.send(
                .request(3, path: "/no-data", endStream: true), .request(5, path: "/trailers-only", endStream: true))
            let more = try peer.roundTrip().filter { $0.stream != 0 }
            #expect(more.map(\.kind) == [.headers, .headers, .headers])
            #expect(more.map(\.stream).sorted() == [3, 3, 5])
        }
    }

    @Test("the server announces its limits first")
    func announces() async throws {
        try await TestServer.withRawPeers({ $0.concurrentStreamsMax = 77 }) { server in
            let peer = try RawPeer(port: server.port)
            let settings = try #require(try peer.receive())
            #expect(settings.kind == .settings)
            #expect(settings.payload.count % 6 == 0)
            let entries = stride(from: 0, to: settings.payload.count, by: 6).map {
                Array(settings.payload[$0..<$0 + 6])
            }
            #expect(entries.contains([0, 3] + bigEndian(77)))
            #expect(entries.contains([0, 4] + bigEndian(1 << 20)))
        }
    }

    @Test("a lower bound of streams holds from when the peer acknowledges it, and what it opened before is served")
    func loweredStreamLimit() async throws {
        try await TestServer.withRawPeers({ $0.concurrentStreamsMax = 100 }) { server in
            let peer = try RawPeer(port: server.port)
            peer.send(RawFrame(kind: .settings, flags: RawFrame.ack))
            var next: UInt32 = 1
            func open(_ count: Int, _ path: String) -> [UInt32] {
                let ids = (0..<count).map { next + UInt32($0) * 2 }
                next += UInt32(count) * 2
                for id in ids { peer.send(.request(id, path: path, endStream: path != "/hold")) }
                return ids
            }
            func answered(_ frames: [RawFrame]) -> Set<UInt32> {
                Set(frames.filter { $0.kind == .headers }.map(\.stream))
            }
            _ = open(10, "/hold")
            _ = try peer.roundTrip()
            let loop = server.loops[0]
            await withCheckedContinuation { continuation in
                loop.execute {
                    loop.streamsMax = 16
                    continuation.resume()
                }
            }
            // It hears of the bound, and does not say so yet.
            let told = try peer.roundTrip().filter { $0.kind == .settings && $0.flags != RawFrame.ack }
            #expect(told.map(\.payload) == [[0, 3] + bigEndian(16)])
            let early = open(80, "/no-data")
            var late = try peer.roundTrip()
            let held = open(80, "/hold")
            late += try peer.roundTrip()
            #expect(answered(late) == Set(early) && !late.contains { $0.kind == .reset })

            peer.send(RawFrame(kind: .settings, flags: RawFrame.ack))
            let excess = open(3, "/no-data")
            let refused = try peer.roundTrip()
            #expect(Set(refused.filter { $0.kind == .reset }.map(\.stream)) == Set(excess))
            #expect(refused.allSatisfy { $0.kind != .reset || $0.errorCode == HTTP2ErrorCode.refusedStream })
            for id in held { peer.send(.reset(id, 8)) }
            let fitting = open(6, "/hold") + open(1, "/no-data")
            let last = try peer.roundTrip()
            #expect(last.filter { $0.kind == .reset }.map(\.stream) == [fitting[6]])
            #expect(server.metrics.count(of: .streamLimits) == 1)
            #expect(server.metrics.count(of: .goawayFlood) == 0)
        }
    }

    @Test("a stream without window waits, others go on, and it finishes when it gets one")
    func zeroWindow() async throws {
        try await TestServer.withRawPeers { server in
            let peer = try RawPeer(port: server.port, settings: [(4, 0)])
            peer.send(.request(1, path: "/big/1000", endStream: true))
            #expect(dataBytes(try peer.roundTrip(), 1) == 0)
            peer.send(.request(3, path: "/big/1000", endStream: true), .windowUpdate(3, 5_000))
            let frames = try peer.roundTrip()
            #expect(dataBytes(frames, 3) == 1_000)
            #expect(dataBytes(frames, 1) == 0)
            peer.send(.windowUpdate(1, 400))
            #expect(dataBytes(try peer.roundTrip(), 1) == 400)
            peer.send(.windowUpdate(1, 600))
            let last = try peer.roundTrip().filter { $0.stream == 1 }
            #expect(dataBytes(last, 1) == 600)
            #expect(last.last?.flags == RawFrame.endStream | RawFrame.endHeaders)
        }
    }

    @Test("SETTINGS may shrink a window below zero")
    func shrunkenWindow() async throws {
        try await TestServer.withRawPeers { server in
            let peer = try RawPeer(port: server.port)
            peer.send(.windowUpdate(0, 1_000_000), .request(1, path: "/big/100000", endStream: true))
            #expect(dataBytes(try peer.roundTrip(), 1) == 65_535)
            peer.send(.settings([(4, 10)]), .windowUpdate(1, 65_524))
            #expect(dataBytes(try peer.roundTrip(), 1) == 0)
            peer.send(.windowUpdate(1, 11))
            #expect(dataBytes(try peer.roundTrip(), 1) == 10)
            peer.send(.windowUpdate(1, 100_000))
            #expect(dataBytes(try peer.roundTrip(), 1) == 100_000 - 65_545)
        }
    }

    @Test("some honest cancels are no attack, thousands are")
    func peerResets() async throws {
        try await TestServer.withRawPeers { server in
            let peer = try RawPeer(port: server.port)
            for call in 0..<500 {
                let stream = UInt32(call * 2 + 1)
                peer.send(.request(stream, path: "/hold", endStream: false), .reset(stream, 8))
            }
            #expect(try !peer.roundTrip().contains { $0.kind == .goaway })
            for call in 500..<3_000 {
                let stream = UInt32(call * 2 + 1)
                peer.send(.request(stream, path: "/hold", endStream: false), .reset(stream, 8))
            }
            let goaway = try peer.receive { $0.kind == .goaway }
            #expect(goaway?.errorCode == HTTP2ErrorCode.enhanceYourCalm)
            #expect(server.metrics.count(of: .peerResetFloods) == 1)
            #expect(await eventually { server.metrics.active == 0 })
        }
    }

    @Test("a peer that makes us reset thousands of streams is told to calm down")
    func madeYouReset() async throws {
        try await TestServer.withRawPeers({
            $0.floods.ownResetBurst = 100
            $0.floods.ownResetsPerSecond = 1
        }) { server in
            let peer = try RawPeer(port: server.port)
            for call in 0..<400 {
                let stream = UInt32(call * 2 + 1)
                peer.send(.request(stream, path: "/hold", endStream: false), .windowUpdate(stream, 0x7fff_ffff))
            }
            let frames = try peer.receiveAll()
            #expect(frames.last { $0.kind == .goaway }?.errorCode == HTTP2ErrorCode.enhanceYourCalm)
            #expect(server.metrics.count(of: .goawayFlood) == 1)
            #expect(server.metrics.count(of: .ownResetFloods) == 1)
        }
    }

    @Test(
        "frames that cost us more than their sender have a budget",
        arguments: [RawFrame.Kind.settings, .ping, .data, .priority])
    func controlFloods(kind: RawFrame.Kind) async throws {
        try await TestServer.withRawPeers({
            $0.floods.controlFrameBurst = 50
            $0.floods.controlFramesPerSecond = 1
            $0.keepalive.pingStrikesMax = 1_000_000
        }) { server in
            let peer = try RawPeer(port: server.port)
            peer.send(.request(1, path: "/hold", endStream: false))
            let frame: RawFrame =
                switch kind {
                case .settings: .settings()
                case .ping: .ping()
                case .data: .data(1, [], endStream: false)
                default: RawFrame(kind: .priority, stream: 1, payload: [0, 0, 0, 0, 16])
                }
            for _ in 0..<40 { peer.send(frame) }
            #expect(try !peer.roundTrip().contains { $0.kind == .goaway })
            for _ in 0..<200 { peer.send(frame) }
            let goaway = try peer.receive { $0.kind == .goaway }
            #expect(goaway?.errorCode == HTTP2ErrorCode.enhanceYourCalm)
        }
    }

    @Test("the fourth ping in a row is one too many, and the peer is told why")
    func pingStrikes() async throws {
        try await TestServer.withRawPeers({ $0.keepalive = HTTP2Configuration.Keepalive() }) { server in
            let peer = try RawPeer(port: server.port)
            for _ in 0..<4 { peer.send(.ping()) }
            let goaway = try #require(try peer.receive { $0.kind == .goaway })
            #expect(goaway.errorCode == HTTP2ErrorCode.enhanceYourCalm)
            #expect(String(decoding: goaway.payload.dropFirst(8), as: UTF8.self) == "too_many_pings")
            #expect(try peer.receiveAll().isEmpty)
        }
    }

    @Test("pings beside calls are forgiven")
    func forgivenPings() async throws {
        try await TestServer.withRawPeers({ $0.keepalive = HTTP2Configuration.Keepalive() }) { server in
            let peer = try RawPeer(port: server.port)
            for call in 0..<20 {
                peer.send(.request(UInt32(call * 2 + 1), path: "/echo", endStream: true))
                #expect(try !peer.roundTrip().contains { $0.kind == .goaway })
            }
        }
    }

    @Test("who says nothing, half a preface, or half a header block is not waited for", arguments: 0..<3)
    func halfOpen(variant: Int) async throws {
        try await TestServer.withRawPeers({ $0.handshakeTimeoutNs = 50_000_000 }) { server in
            let peer = try RawPeer(port: server.port, preface: variant >= 2)
            switch variant {
            case 1: peer.send(bytes: Array("PRI * HT".utf8))
            case 2:
                var request = RawFrame.request(1, path: "/echo", endStream: true)
                request.flags = RawFrame.endStream
                peer.send(request)
            default: break
            }
            _ = try peer.receiveAll()
            #expect(server.metrics.count(of: variant == 2 ? .headerBlockTimeouts : .handshakeTimeouts) == 1)
        }
    }

    @Test("after a header block that was found wrong half-way nothing is awaited")
    func refusedHeaderBlock() async throws {
        try await TestServer.withRawPeers({ $0.handshakeTimeoutNs = 1_000_000_000 }) { server in
            let peer = try RawPeer(port: server.port)
            peer.send(.request(1, path: "/echo", endStream: true, more: [("UPPER", "case")]))
            #expect(try peer.receive { $0.kind == .reset }?.errorCode == HTTP2ErrorCode.protocolError)
            try await Task.sleep(for: .milliseconds(1_200))
            #expect(try peer.roundTrip().allSatisfy { $0.kind != .goaway })
            #expect(server.metrics.count(of: .headerBlockTimeouts) == 0)
        }
    }

    @Test(
        "what is no HTTP/2 at all closes the connection", arguments: ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\0\0\0\0"])
    func nonsense(text: String) async throws {
        try await TestServer.withRawPeers { server in
            let peer = try RawPeer(port: server.port, preface: false)
            peer.send(bytes: Array((text + String(repeating: " ", count: 30)).utf8))
            _ = try? peer.receiveAll()
            #expect(await eventually { server.metrics.count(of: .closed) == 1 })
        }
    }

    @Test(
        "random bytes behind the preface end the connection and never the server",
        arguments: 1...8 as ClosedRange<UInt64>)
    func fuzz(seed: UInt64) async throws {
        var random = SeededRandom(seed: seed)
        try await TestServer.withRawPeers { server in
            for _ in 0..<20 {
                let peer = try RawPeer(port: server.port)
                peer.send(.request(1, path: "/echo", endStream: false))
                for _ in 0..<20 {
                    let kind = RawFrame.Kind(rawValue: UInt8.random(in: 0...9, using: &random)) ?? .data
                    let payload = (0..<Int.random(in: 0..<40, using: &random)).map { _ in
                        UInt8(truncatingIfNeeded: random.next() & random.next())
                    }
                    peer.send(
                        RawFrame(
                            kind: kind, flags: UInt8(truncatingIfNeeded: random.next()),
                            stream: UInt32.random(in: 0..<6, using: &random), payload: payload))
                }
            }
            let peer = try RawPeer(port: server.port)
            peer.send(.request(1, path: "/echo", endStream: true))
            #expect(try peer.roundTrip().contains { $0.kind == .headers }, "seed \(seed)")
        }
    }

    @Test("headers over the limit are answered, over many CONTINUATION frames too, and the connection lives on")
    func largeHeaders() async throws {
        try await TestServer.withRawPeers { server in
            let peer = try RawPeer(port: server.port)
            var request = RawFrame.request(1, path: "/echo", endStream: true)
            request.flags = RawFrame.endStream
            let filler = (0..<4).map { RawFrame.literal("x-\($0)", String(repeating: "v", count: 16_000)) }
            let parts = filler.enumerated().map {
                RawFrame(
                    kind: .continuation, flags: $0.offset == 3 ? RawFrame.endHeaders : 0, stream: 1, payload: $0.element
                )
            }
            peer.send(request)
            for part in parts { peer.send(part) }
            let answer = try peer.receive { $0.kind == .headers && $0.stream == 1 }
            #expect(answer?.flags == RawFrame.endStream | RawFrame.endHeaders)
            #expect(await server.log.has("too large"))
            peer.send(.request(3, path: "/echo", endStream: true))
            #expect(try peer.roundTrip().contains { $0.kind == .headers && $0.stream == 3 })
        }
    }

    @Test("a peer that reads nothing is given up, and what waits for it is bounded")
    func unreadOutput() async throws {
        try await TestServer.withRawPeers({ $0.writeStallTimeoutNs = 100_000_000 }) { server in
            let peer = try RawPeer(port: server.port, settings: [(4, 0x7fff_ffff)])
            peer.send(.windowUpdate(0, 0x7000_0000), .request(1, path: "/big/40000000", endStream: true))
            #expect(await eventually { server.metrics.count(of: .writeStalls) == 1 })
            #expect(await eventually { server.metrics.active == 0 })
            _ = peer
        }
    }

    @Test("a peer that does not answer pings is given up")
    func deadPeer() async throws {
        try await TestServer.withRawPeers({
            $0.keepalive.pingAfterNs = 50_000_000
            $0.keepalive.pingTimeoutNs = 50_000_000
        }) { server in
            let peer = try RawPeer(port: server.port)
            #expect(try peer.receive { $0.kind == .ping } != nil)
            _ = try peer.receiveAll()
            #expect(server.metrics.count(of: .pingTimeouts) == 1)
        }
    }

    @Test("a peer that answers pings is kept, and pinged again after the next silence")
    func livingPeer() async throws {
        try await TestServer.withRawPeers({ $0.keepalive.pingAfterNs = 10_000_000 }) { server in
            let peer = try RawPeer(port: server.port)
            for _ in 0..<5 {
                let ping = try #require(try peer.receive { $0.kind == .ping })
                peer.send(RawFrame(kind: .ping, flags: RawFrame.ack, payload: ping.payload))
            }
            peer.send(.request(1, path: "/echo", endStream: true))
            #expect(try peer.receive { $0.kind == .headers } != nil)
        }
    }
}

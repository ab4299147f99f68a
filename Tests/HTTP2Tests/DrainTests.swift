import HTTP2
import Testing

/// The end of connections, in peace.
@Suite struct DrainTests {
    @Test("a drain says GOAWAY, waits a round trip, says the last id, lets streams finish and closes")
    func drain() async throws {
        try await TestServer.with { server in
            let peer = try RawPeer(port: server.port)
            peer.send(.request(1, path: "/echo", endStream: false))
            #expect(await server.log.has("headers /echo"))
            let drained = EventLog()
            server.listener.drain(graceNs: nil) { drained.add("drained") }
            let notice = try #require(try peer.receive { $0.kind == .goaway })
            #expect(notice.lastStream == 0x7fff_ffff)
            #expect(notice.errorCode == HTTP2ErrorCode.noError)
            let ping = try #require(try peer.receive { $0.kind == .ping })
            // What was on its way when the notice came is served.
            peer.send(.request(3, path: "/echo", endStream: true))
            peer.send(RawFrame(kind: .ping, flags: RawFrame.ack, payload: ping.payload))
            let goaway = try #require(try peer.receive { $0.kind == .goaway })
            #expect(goaway.lastStream == 3)
            // What comes later is not.
            peer.send(.request(5, path: "/echo", endStream: true), .data(1, [1], endStream: true))
            let rest = try peer.receiveAll()
            #expect(rest.contains { $0.kind == .data && $0.stream == 1 && $0.payload == [1] })
            #expect(!rest.contains { $0.stream == 5 })
            peer.finish()
            #expect(await drained.has("drained"))
            #expect(throws: RawError.self) { try RawPeer(port: server.port) }
        }
    }

    @Test("calls under way finish while a drained client is told to go elsewhere")
    func clientSide() async throws {
        try await TestServer.with { server in
            let client = try await TestClient(port: server.port)
            let call = await client.open("/echo", body: [1], endStream: false)
            #expect(await server.log.has("headers /echo"))
            let drained = EventLog()
            server.listener.drain(graceNs: nil) { drained.add("drained") }
            #expect(await client.log.has("draining"))
            #expect(await client.call("/echo", body: [1]).connectionError == .notAcceptingStreams)
            await call.onLoop { $0.sendData([2], endStream: true) }
            #expect(await call.result().body == [1, 2])
            #expect(await client.log.has("connection closed: closedLocally"))
            #expect(await drained.has("drained"))
            client.stop()
        }
    }

    @Test("streams that do not finish are cut when the grace is over")
    func grace() async throws {
        try await TestServer.with { server in
            let client = try await TestClient(port: server.port)
            let call = await client.open("/hold", endStream: false)
            #expect(await server.log.has("headers /hold"))
            let drained = EventLog()
            server.listener.drain(graceNs: 50_000_000) { drained.add("drained") }
            #expect(await drained.has("drained"))
            #expect(await call.result().connectionError == .connectionLost)
            client.stop()
        }
    }

    @Test("idle and old connections are drained", arguments: [HTTP2Metrics.Event.idleDrains, .ageDrains])
    func keepalive(reason: HTTP2Metrics.Event) async throws {
        try await TestServer.with({
            if reason == .idleDrains {
                $0.keepalive.idleTimeoutNs = 50_000_000
            } else {
                $0.keepalive.ageMaxNs = 50_000_000
            }
        }) { server in
            let client = try await TestClient(port: server.port)
            #expect(await client.log.has("connection closed: closedLocally"))
            #expect(server.metrics.count(of: reason) == 1)
            client.stop()
        }
    }

    @Test("connections opened and closed in all ways leave nothing in memory")
    func leaks() async throws {
        try await TestServer.with { server in
            for round in 0..<40 {
                let client = try await TestClient(port: server.port)
                _ = await client.call("/echo", body: [1])
                _ = await client.open("/hold", endStream: false)
                let raw = try RawPeer(port: server.port)
                raw.send(.request(1, path: "/early", endStream: false), .data(1, [1], endStream: false))
                if round % 2 == 0 { _ = try raw.receive() }
                if round % 3 == 0 { await client.onLoop { $0.startDrain(graceNs: 1_000_000) } }
                client.stop()
            }
            #expect(await eventually { server.metrics.active == 0 })
            #expect(await eventually { server.connectionsInMemory == 0 })
            #expect(server.metrics.count(of: .accepted) == 80)
        }
    }

    @Test("a loop that stops closes its connections and tells their streams")
    func loopStops() async throws {
        let server = try TestServer()
        let client = try await TestClient(port: server.port)
        let call = await client.open("/hold", endStream: false)
        #expect(await server.log.has("headers /hold"))
        for loop in server.loops {
            loop.stop()
            loop.join()
        }
        #expect(await call.result().connectionError == .connectionLost)
        #expect(server.log.all.contains("connection closed: closedLocally"))
        #expect(server.connectionsInMemory == 0)
        client.stop()
    }
}

import HTTP2
import Testing

/// Our client and our server with each other.
@Suite struct CallTests {
    private func withServer(
        loops: Int = 1, host: String = "127.0.0.1", configure: (inout HTTP2Configuration) -> Void = { _ in },
        client configureClient: (inout HTTP2Configuration) -> Void = { _ in },
        _ body: (TestServer, TestClient) async throws -> Void
    ) async throws {
        try await TestServer.with(loops: loops, host: host, configure) { server in
            let client = try await TestClient(port: server.port, host: host, configure: configureClient)
            defer { client.stop() }
            try await body(server, client)
        }
    }

    @Test("a body of any size comes back whole", arguments: [0, 1, 100, 16_384, 65_535, 65_536, 3_000_000])
    func echo(count: Int) async throws {
        try await withServer { _, client in
            let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let result = await client.call("/echo", body: body)
            #expect(result.headers?.value(of: ":status") == "200")
            #expect(result.body == body)
            #expect(result.trailers?.value(of: "grpc-status") == "0")
            #expect(result.errorCode == 0)
        }
    }

    @Test("every host that names loopback works", arguments: ["127.0.0.1", "localhost", "::1", "[::1]"])
    func hosts(host: String) async throws {
        try await withServer(host: host) { _, client in
            #expect(await client.call("/echo", body: [1]).body == [1])
        }
    }

    @Test("a trailers-only answer is one header block that ends the stream")
    func trailersOnly() async throws {
        try await withServer { _, client in
            let result = await client.call("/trailers-only", body: [1])
            #expect(result.endedWithHeaders)
            #expect(result.trailers == nil)
            #expect(result.errorCode == 0)
        }
    }

    @Test("trailers without data are trailers all the same")
    func noData() async throws {
        try await withServer { _, client in
            let result = await client.call("/no-data", body: [1])
            #expect(!result.endedWithHeaders)
            #expect(result.body.isEmpty)
            #expect(result.trailers?.value(of: "grpc-status") == "0")
        }
    }

    @Test("a stream of megabytes is written as the peer takes it")
    func longStream() async throws {
        try await withServer { _, client in
            let result = await client.call("/stream/5000000", body: [1])
            #expect(result.body.count == 5_000_000)
            #expect(result.trailers != nil)
        }
    }

    @Test("a client's trailers end its side")
    func clientTrailers() async throws {
        try await withServer { server, client in
            let call = await client.open("/echo", body: [5, 6], endStream: false)
            _ = await call.onLoop {
                var trailers = HTTP2Headers()
                trailers.add("checksum", "11")
                $0.sendTrailers(trailers)
            }
            #expect(await call.result().body == [5, 6])
            #expect(await server.log.has("trailers 11"))
        }
    }

    @Test("a trailer too long to be sent resets its stream alone")
    func longTrailer() async throws {
        try await withServer { _, client in
            #expect(await client.call("/long-trailer", body: [1]).errorCode == HTTP2ErrorCode.internalError)
            #expect(await client.call("/echo", body: [1]).body == [1])
        }
    }

    @Test("a refused stream is told from one that ran")
    func refused() async throws {
        try await withServer { _, client in
            let refused = await client.call("/refuse", body: [1])
            #expect(refused.errorCode == HTTP2ErrorCode.refusedStream)
            #expect(refused.wasSurelyNotProcessed)
            let call = await client.open("/hold", endStream: false)
            _ = await call.onLoop { $0.sendData([1]) }
            client.loop.execute { [connection = client.connection] in connection.close() }
            let lost = await call.result()
            #expect(lost.connectionError == .closedLocally)
        }
    }

    @Test("a client's reset reaches the server's handler")
    func reset() async throws {
        try await withServer { server, client in
            let call = await client.open("/hold", endStream: false)
            #expect(await server.log.has("headers /hold"))
            await call.onLoop { $0.reset(errorCode: HTTP2ErrorCode.cancel) }
            #expect(await server.log.has("closed /hold 8"))
            #expect(await call.result().errorCode == HTTP2ErrorCode.cancel)
        }
    }

    @Test("an early status is followed by a reset only after its delay, and the answer arrives")
    func earlyStatus() async throws {
        try await withServer { server, client in
            let call = await client.open("/early", endStream: false)
            let result = await call.result()
            #expect(result.endedWithHeaders)
            #expect(result.errorCode == 0)
            #expect(server.metrics.count(of: .resetsSent) == 1)
            // With the end of the client's side no reset is needed.
            #expect(await client.call("/early", body: [1]).errorCode == 0)
            #expect(await server.log.has("closed /early 0"))
        }
    }

    @Test("a handler that consumes nothing stops its sender, and the other streams go on")
    func backPressure() async throws {
        try await withServer(configure: { $0.streamWindowBytes = 100_000 }) { server, client in
            let stuck = await client.open("/stall", body: [UInt8](repeating: 1, count: 1_000_000), endStream: false)
            #expect(await server.log.has("stalled"))
            for _ in 0..<20 {
                #expect(await client.call("/echo", body: [UInt8](repeating: 2, count: 50_000)).body.count == 50_000)
            }
            // All but the window still waits at the sender.
            #expect(await eventuallyOnLoop(stuck) { $0.bufferedBytes == 900_000 })
            #expect(await stuck.onLoop { !$0.isWritable })
            await stuck.onLoop { $0.reset(errorCode: HTTP2ErrorCode.cancel) }
        }
    }

    @Test("bytes that nobody consumed are credited to the connection when their stream ends")
    func closedStreamsCredit() async throws {
        try await withServer(configure: {
            $0.streamWindowBytes = 100_000
            $0.connectionWindowBytes = 300_000
        }) { server, client in
            for round in 0..<12 {
                let stuck = await client.open("/stall", body: [UInt8](repeating: 1, count: 90_000), endStream: false)
                #expect(await eventuallyOnLoop(stuck) { $0.bufferedBytes == 0 }, "round \(round)")
                await stuck.onLoop { $0.reset(errorCode: HTTP2ErrorCode.cancel) }
            }
            #expect(await client.call("/echo", body: [UInt8](repeating: 2, count: 90_000)).body.count == 90_000)
        }
    }

    @Test("a client that does not consume stops the server, whose buffer stays small")
    func clientBackPressure() async throws {
        try await withServer(client: { $0.streamWindowBytes = 100_000 }) { _, client in
            let stuck = await client.open("/stream/2000000", body: [1], consumes: false)
            #expect(await eventually { stuck.receivedBytes == 100_000 })
            #expect(await client.call("/stream/300000", body: [1]).body.count == 300_000)
            #expect(stuck.receivedBytes == 100_000)
            await stuck.onLoop { $0.reset(errorCode: HTTP2ErrorCode.cancel) }
        }
    }

    @Test("the peer's bound on streams shows, and a freed slot too")
    func availableStreams() async throws {
        try await withServer(configure: { $0.concurrentStreamsMax = 3 }) { server, client in
            _ = await client.call("/echo", body: [1])
            #expect(await client.onLoop { $0.availableStreams } == 3)
            let call = await client.open("/hold", endStream: false)
            #expect(await client.onLoop { $0.availableStreams } == 2)
            await call.onLoop { $0.reset(errorCode: HTTP2ErrorCode.cancel) }
            _ = await call.result()
            #expect(await client.onLoop { $0.availableStreams } == 3)
        }
    }

    @Test("a stream whose answer is over the connection's bound is reset, and the connection lives on")
    func outputBound() async throws {
        try await withServer(configure: { $0.connectionBufferBytesMax = 1_000_000 }) { server, client in
            #expect(await client.call("/big/2000000", body: [1]).errorCode == HTTP2ErrorCode.enhanceYourCalm)
            #expect(await client.call("/big/900000", body: [1]).body.count == 900_000)
            #expect(server.metrics.count(of: .outputTooLarge) == 1)
        }
    }

    @Test("headers over the limit never reach the handler as headers")
    func largeHeaders() async throws {
        try await withServer { server, client in
            let result = await client.call("/" + String(repeating: "p", count: 20_000), body: [1])
            #expect(result.headers?.value(of: ":status") == "431")
            #expect(await client.call("/echo", body: [1]).body == [1])
            #expect(server.metrics.count(of: .headersTooLarge) == 1)
        }
    }

    @Test("several loops share the connections evenly, and all of them work")
    func loops() async throws {
        try await TestServer.with(loops: 2) { server in
            var clients: [TestClient] = []
            for _ in 0..<6 { clients.append(try await TestClient(port: server.port)) }
            for client in clients { #expect(await client.call("/echo", body: [3]).body == [3]) }
            #expect(server.metrics.active == 6)
            for client in clients { client.stop() }
            #expect(await eventually { server.metrics.active == 0 })
        }
    }

    @Test("a connection over the bound is turned away where all others are busy")
    func connectionsBound() async throws {
        try await withServer(configure: { $0.connectionsMax = 1 }) { server, client in
            let held = await client.open("/hold", endStream: false)
            #expect(await server.log.has("headers /hold"))
            let second = try await TestClient(port: server.port)
            #expect(await eventually { !second.log.all.isEmpty })
            second.stop()
            #expect(server.metrics.count(of: .connectionsRefused) == 1)
            #expect(await client.call("/echo", body: [1]).body == [1])
            _ = held
        }
    }

    @Test("nobody listening is an error at once, a name without address too")
    func connectErrors() async throws {
        let port = try RawListener().port
        await #expect(throws: HTTP2Error.self) { _ = try await TestClient(port: port) }
        await #expect(throws: HTTP2Error.self) { _ = try await TestClient(port: 1, host: "no-such-host.invalid") }
    }

    private func eventuallyOnLoop(
        _ call: ClientCall, _ condition: @escaping @Sendable (HTTP2Stream) -> Bool
    ) async -> Bool {
        for _ in 0..<5_000 {
            if await call.onLoop(condition) { return true }
            try? await Task.sleep(for: .milliseconds(2))
        }
        return false
    }
}

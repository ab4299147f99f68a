import HTTP2
import Testing

/// Our client with servers that say odd things.
@Suite struct ClientTests {
    private func withPeer(
        settings: [(UInt16, UInt32)] = [], configure: (inout HTTP2Configuration) -> Void = { _ in },
        _ body: (TestClient, RawPeer) async throws -> Void
    ) async throws {
        let listener = try RawListener()
        let client = try await TestClient(port: listener.port, configure: configure)
        do {
            try await body(client, try listener.accept(settings: settings))
        } catch {
            client.stop()
            throw error
        }
        client.stop()
    }

    private func response(_ stream: UInt32, status: String, endStream: Bool) -> RawFrame {
        RawFrame(
            kind: .headers, flags: RawFrame.endHeaders | (endStream ? RawFrame.endStream : 0), stream: stream,
            payload: RawFrame.literal(":status", status))
    }

    private func goaway(_ lastStream: UInt32, _ code: UInt32) -> RawFrame {
        RawFrame(kind: .goaway, payload: bigEndian(lastStream) + bigEndian(code))
    }

    @Test("streams above GOAWAY's id are safe to try again, those below it finish")
    func goawayInMidCall() async throws {
        try await withPeer { client, peer in
            let first = await client.open("/a", body: [1])
            let second = await client.open("/b", body: [2])
            _ = try peer.receive { $0.stream == 3 && $0.kind == .data }
            peer.send(goaway(1, 0))
            let refused = await second.result()
            #expect(refused.wasSurelyNotProcessed)
            #expect(refused.connectionError == nil)
            #expect(await client.call("/c").connectionError == .notAcceptingStreams)
            peer.send(response(1, status: "200", endStream: true))
            let finished = await first.result()
            #expect(finished.headers?.value(of: ":status") == "200")
            #expect(!finished.wasSurelyNotProcessed)
            #expect(await client.log.has("connection closed: closedLocally"))
            #expect(await client.onLoop { $0.peerGoawayCode } == 0)
        }
    }

    @Test(
        "RST_STREAM arrives with its code, and only REFUSED_STREAM is safe to try again",
        arguments: 0...13 as ClosedRange<UInt32>)
    func resets(code: UInt32) async throws {
        try await withPeer { client, peer in
            let call = await client.open("/a", body: [1])
            _ = try peer.receive { $0.stream == 1 && $0.kind == .data }
            peer.send(.reset(1, code))
            let result = await call.result()
            #expect(result.errorCode == code)
            #expect(result.connectionError == nil)
            #expect(result.wasSurelyNotProcessed == (code == HTTP2ErrorCode.refusedStream))
        }
    }

    @Test("a connection that breaks takes its calls down as lost, and not as safe to try again")
    func lost() async throws {
        let listener = try RawListener()
        let client = try await TestClient(port: listener.port)
        let call = await client.open("/a", body: [1])
        do {
            let peer = try listener.accept()
            _ = try peer.receive { $0.stream == 1 && $0.kind == .data }
        }
        let result = await call.result()
        #expect(result.connectionError == .connectionLost)
        #expect(!result.wasSurelyNotProcessed)
        client.stop()
    }

    @Test("an informational response is passed over")
    func informational() async throws {
        try await withPeer { client, peer in
            let call = await client.open("/a", body: [1])
            _ = try peer.receive { $0.stream == 1 && $0.kind == .data }
            peer.send(response(1, status: "103", endStream: false), response(1, status: "200", endStream: true))
            #expect(await call.result().headers?.value(of: ":status") == "200")
        }
    }

    @Test("a server that says no SETTINGS is given up")
    func silentServer() async throws {
        let listener = try RawListener()
        let client = try await TestClient(port: listener.port) { $0.handshakeTimeoutNs = 50_000_000 }
        let call = await client.open("/a", body: [1])
        let result = await call.result()
        #expect(result.connectionError != nil)
        client.stop()
        _ = listener
    }

    @Test("calls above the server's bound wait for a slot, and one never sent is safe to try again")
    func queued() async throws {
        try await withPeer(settings: [(3, 1)]) { client, peer in
            _ = try peer.receive { $0.kind == .settings && $0.flags == RawFrame.ack }
            #expect(await client.onLoop { $0.availableStreams } == 1)
            let first = await client.open("/a", body: [1])
            let second = await client.open("/b", body: [2])
            _ = try peer.receive { $0.stream == 1 && $0.kind == .data }
            peer.send(response(1, status: "200", endStream: true))
            #expect(await first.result().headers != nil)
            let third = await client.open("/c", body: [3])
            #expect(try peer.receive { $0.kind == .headers }?.stream == 3)
            await client.onLoop { $0.close() }
            #expect(await !second.result().wasSurelyNotProcessed)
            #expect(await third.result().wasSurelyNotProcessed)
        }
    }
}

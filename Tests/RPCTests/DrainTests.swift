import HTTP2
import Protobuf
import RPC
import Testing

/// How a server goes away.
@Suite(.timeLimit(.minutes(1))) struct DrainTests {
    /// A call that the server runs: one message went there and came back.
    private func openChat(_ server: SocketServer) async -> (call: SocketCall, events: AsyncStream<CallEvent>.Iterator) {
        let call = await server.open([(":path", EchoService.chat.path)])
        var events = call.events.makeAsyncIterator()
        call.send(.with { $0.text = "first" })
        while let event = await events.next() {
            if case .message = event { break }
        }
        return (call, events)
    }

    @Test func callsUnderWayFinishAndNewConnectionsAreRefused() async throws {
        let server = try await SocketServer(RPCServerConfiguration())
        let slow = await server.open([(":path", EchoService.unary.path)])
        slow.send(.with { $0.text = "slow" })
        slow.end()
        try await eventually { server.echo.seen.started == 1 }
        await server.server.drain(timeout: .seconds(20))
        let answer = await slow.answer()
        #expect(answer.code == .ok && answer.messages.first?.text == "slow")
        #expect(server.server.health.status()?.isServing == false)
        let loop = try EventLoop(name: "late")
        try loop.start()
        await #expect(throws: HTTP2Error.self) { _ = try await SocketServer.connect(loop, server.address) }
        loop.stop()
        loop.join()
        await server.stop()
    }

    @Test func anOpenStreamIsToldAndDoesNotHoldTheDrain() async throws {
        let server = try await SocketServer(RPCServerConfiguration())
        var (_, events) = await openChat(server)
        await server.server.drain(timeout: .seconds(600))
        var end: RPCStatusCode?
        while let event = await events.next() {
            if case .end(let code, _, _, let details) = event {
                end = code
                #expect(details.first?.packedMessageName == "google.rpc.RetryInfo")
            }
        }
        #expect(end == .unavailable)
        await server.stop()
    }

    @Test func aWatcherOfHealthHearsOfTheDrainAndIsLetGo() async throws {
        let server = try await SocketServer(RPCServerConfiguration())
        let watch = await server.open([(":path", HealthMethods.watch.path)])
        watch.send(framed: MessageFraming.frame([]))
        watch.end()
        try await eventually { watch.raw.body == [0, 0, 0, 0, 2, 8, 1] }
        await server.server.drain(timeout: .seconds(600))
        let answer = await watch.answer()
        #expect(answer.code == .unavailable)
        #expect(watch.raw.body == [0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 2, 8, 2])
        await server.stop()
    }

    @Test func whatDoesNotFinishInTimeIsCut() async throws {
        let server = try await SocketServer(RPCServerConfiguration())
        let stuck = await server.open([(":path", EchoService.unary.path)])
        stuck.send(.with { $0.text = "wait" })
        stuck.end()
        try await eventually { server.echo.seen.started == 1 }
        await server.server.drain(timeout: .milliseconds(50))
        #expect(await stuck.answer().code != .ok)
        try await eventually { server.echo.seen.cancelled == 1 }
        await server.stop()
    }

    @Test func aServerWithoutConnectionsDrainsAtOnceAndStopsTwice() async throws {
        let registry = ServiceRegistry()
        let server = RPCServer(registry: registry)
        _ = try server.start()
        await server.drain(timeout: .seconds(600))
        await server.drain(timeout: .seconds(600))
        server.stop()
    }
}

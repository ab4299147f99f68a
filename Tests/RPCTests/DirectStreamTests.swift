import HTTP2
import Locks
import Protobuf
import RPC
import Testing

/// Streaming calls that are followed on the loop's thread.
@Suite(.timeLimit(.minutes(1))) struct DirectStreamTests {
    private func withFollowed(
        _ body: (SocketServer, SocketCall) async throws -> Void
    ) async throws {
        let server = try await SocketServer(RPCServerConfiguration())
        try await body(server, await server.open([(":path", EchoService.follow.path)]))
        await server.stop()
    }

    private func texts(_ numbers: Range<Int>) -> [String] { numbers.map { "message \($0)" } }

    @Test func messagesAreAnsweredInOrderUntilTheClientHasSentAll() async throws {
        try await withFollowed { _, call in
            for text in texts(0..<2_000) { call.send(.with { $0.text = text }) }
            call.end()
            let answer = await call.answer()
            #expect(answer.code == .ok)
            #expect(answer.messages.map(\.text) == texts(0..<2_000))
        }
    }

    @Test func messagesInPiecesAreGivenWhole() async throws {
        try await withFollowed { _, call in
            let framed = texts(0..<20).flatMap { text in
                MessageFraming.frame(EchoMessage.with { $0.text = text }.wireBytes())
            }
            for start in stride(from: 0, to: framed.count, by: 7) {
                call.send(framed: Array(framed[start..<min(start + 7, framed.count)]))
            }
            call.end()
            let answer = await call.answer()
            #expect(answer.code == .ok && answer.messages.map(\.text) == texts(0..<20))
        }
    }

    @Test func whatAPausedHandlerDoesNotWantWaitsForItTheEndToo() async throws {
        try await withFollowed { server, call in
            call.send(.with { $0.text = "pause" })
            for text in texts(0..<50) { call.send(.with { $0.text = text }) }
            call.end()
            try await eventually { server.echo.followers.count == 1 }
            let follower = server.echo.followers[0]
            try await eventually { follower.isPaused }
            try await Task.sleep(for: .milliseconds(20))
            #expect(follower.count == 1)
            follower.goOn()
            let answer = await call.answer()
            #expect(answer.code == .ok && answer.messages.map(\.text) == ["pause"] + texts(0..<50))
        }
    }

    @Test func anEndWithinAMessageIsAnError() async throws {
        try await withFollowed { _, call in
            call.send(.with { $0.text = "whole" })
            call.send(framed: [0, 0, 0, 0, 9, 1])
            call.end()
            let answer = await call.answer()
            #expect(answer.code == .internal && answer.messages.map(\.text) == ["whole"])
        }
    }

    @Test func aHandlerMayEndTheCallOrNotBeginIt() async throws {
        let server = try await SocketServer(RPCServerConfiguration())
        let ended = await server.open([(":path", EchoService.follow.path)])
        ended.send(.with { $0.text = "fail" })
        #expect(await ended.answer().code == .aborted)
        let refused = await server.open([(":path", EchoService.follow.path), ("x-refuse", "1")])
        #expect(await refused.answer().code == .failedPrecondition)
        await server.stop()
    }

    @Test func aDrainIsToldAfterWhatArrived() async throws {
        try await withFollowed { server, call in
            call.send(.with { $0.text = "pause" })
            for text in texts(0..<5) { call.send(.with { $0.text = text }) }
            try await eventually { server.echo.followers.first?.isPaused ?? false }
            try await Task.sleep(for: .milliseconds(20))
            async let drained: Void = server.server.drain(timeout: .seconds(600))
            try await Task.sleep(for: .milliseconds(20))
            server.echo.followers[0].goOn()
            let answer = await call.answer()
            #expect(answer.code == .unavailable && answer.messages.map(\.text) == ["pause"] + texts(0..<5))
            await drained
        }
    }

    @Test func aClientThatGoesAwayLeavesNothing() async throws {
        try await withFollowed { server, call in
            call.send(.with { $0.text = "hello" })
            try await eventually { server.echo.followers.first?.count == 1 }
            weak let follower = server.echo.followers[0]
            server.echo.forgetFollowers()
            #expect(follower != nil)
            call.cancel()
            try await eventually { follower == nil }
            #expect(server.server.callCounts.active == 0)
        }
    }
}

/// Answers each message with itself. `pause` has it want no more until it is told to go on; `fail` ends the call.
final class Follower: DirectStreamHandler, Sendable {
    private struct State {
        var count = 0
        var isPaused = false
    }

    private let stream: DirectStream
    private let state = Protected(State())

    /// How many messages came.
    var count: Int { state.withLock { $0.count } }
    var isPaused: Bool { state.withLock { $0.isPaused } }

    init(_ stream: DirectStream) { self.stream = stream }

    func goOn() {
        state.withLock { $0.isPaused = false }
        stream.context.loop.execute { [stream] in stream.requestMore() }
    }

    var wantsMore: Bool { !isPaused && stream.isWritable && stream.mayTake(having: 0) }

    func received(_ request: UnsafeRawBufferPointer) {
        guard let message = try? EchoMessage(wireBytes: request) else {
            return stream.finish(RPCError(code: .internal, message: "no message"))
        }
        state.withLock { state in
            state.count += 1
            state.isPaused = message.text == "pause"
        }
        stream.took(byteCount: request.count)
        defer { stream.gave(1) }
        if message.text == "fail" { return stream.finish(RPCError(code: .aborted, message: "as asked")) }
        stream.send { message.encode(to: &$0) }
    }

    func requestsEnded(_ error: RPCError?) { stream.finish(error) }

    func becameWritable() { stream.requestMore() }
}

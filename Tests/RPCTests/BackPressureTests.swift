import HTTP2
import Protobuf
import RPC
import Testing

/// A slow side holds back the fast one, and nobody else.
@Suite(.timeLimit(.minutes(1))) struct BackPressureTests {
    private static let payload = [UInt8](repeating: 5, count: 16 << 10)

    @Test func aHandlerThatTakesNothingStopsItsClientWhileOthersGoOn() async throws {
        try await withServer(.socket, configure: { $0.http2.streamWindowBytes = 64 << 10 }) { server in
            let stuck = await server.open(EchoService.collect, metadata: Metadata(), timeoutNs: nil)
            stuck.send(.with { $0.text = "wait" })
            for _ in 0..<100 { stuck.send(.with { $0.payload = BackPressureTests.payload }) }
            try await eventually { server.echo.seen.started == 1 }
            let other = (0..<100).map { _ in EchoMessage.with { $0.payload = BackPressureTests.payload } }
            let answer = await server.call(EchoService.collect, other)
            #expect(answer.code == .ok && answer.messages.first?.count == 100)
            #expect(server.echo.seen.taken == 100)
            stuck.cancel()
            try await eventually { server.echo.seen.cancelled == 1 }
        }
    }

    @Test func messagesLargerThanTheWindowArrive() async throws {
        try await withServer(.socket, configure: { $0.http2.streamWindowBytes = 64 << 10 }) { server in
            let large = EchoMessage.with { $0.payload = [UInt8](repeating: 9, count: 1 << 20) }
            for method in [EchoService.unary, EchoService.chat] {
                let answer = await server.call(method, [large])
                #expect(answer.code == .ok && answer.messages.first == large)
            }
            let many = await server.call(EchoService.chat, [large, EchoMessage(), large, EchoMessage()])
            #expect(many.messages.map(\.payload.count) == [1 << 20, 0, 1 << 20, 0])
        }
    }

    @Test func aClientThatTakesNothingStopsItsHandler() async throws {
        try await withServer(.socket) { server in
            let socket = try #require(server as? SocketServer)
            let call = await socket.open([(":path", EchoService.expand.path)], consumes: false)
            call.send(
                .with {
                    $0.payload = BackPressureTests.payload
                    $0.count = 100_000
                })
            call.end()
            try await eventually { server.echo.seen.taken > 10 }
            // It stands still between the client's window and the buffers on the way, far from all that there is.
            var before = -1
            while server.echo.seen.taken != before {
                before = server.echo.seen.taken
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(before < 1_000)
            #expect(await server.call(EchoService.direct, "others go on").code == .ok)
            call.cancel()
        }
    }
}

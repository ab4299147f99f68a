import HTTP2
import Protobuf
import RPC
import Testing

/// What stands on the wire, as other gRPC clients, proxies and probes see it (WIRE.md).
@Suite(.timeLimit(.minutes(1))) struct GRPCWireTests {
    /// Runs the body against a server behind a socket.
    private func withSocket(
        configure: (inout RPCServerConfiguration) -> Void = { _ in }, _ body: (SocketServer) async throws -> Void
    ) async throws {
        try await withServer(.socket, configure: configure) { server in
            try await body(try #require(server as? SocketServer))
        }
    }

    /// Sends a request of the given headers and bytes, and gives what came back.
    private func ask(
        _ server: SocketServer, _ fields: [(name: String, value: String)] = [], body: [UInt8] = MessageFraming.frame([])
    ) async -> (answer: Answer, raw: SocketCall.Raw) {
        let call = await server.open(fields)
        call.send(framed: body)
        call.end()
        return (await call.answer(), call.raw)
    }

    @Test func successIsHeadersMessageTrailers() async throws {
        try await withSocket { server in
            let raw = await ask(server, body: MessageFraming.frame(EchoMessage.with { $0.text = "x" }.wireBytes())).raw
            #expect(raw.headers.map(\.name) == [":status", "content-type", "grpc-status"])
            #expect(raw.headers.map(\.value) == ["200", "application/grpc", "0"])
            #expect(raw.body == [0, 0, 0, 0, 3, 0x0A, 1, 0x78])
            #expect(raw.errorCode == 0)
        }
    }

    @Test func anErrorWithoutMessagesIsTrailersOnly() async throws {
        try await withSocket { server in
            let message = EchoMessage.with { $0.text = "fail:5:nicht da ☹" }
            let raw = await ask(server, body: MessageFraming.frame(message.wireBytes())).raw
            #expect(raw.headers.map(\.name) == [":status", "content-type", "grpc-status", "grpc-message"])
            #expect(raw.headers.map(\.value) == ["200", "application/grpc", "5", "nicht da %E2%98%B9"])
        }
    }

    @Test func whatIsNotGRPCGetsAnHTTPStatus() async throws {
        try await withSocket { server in
            #expect(await ask(server, [("content-type", "application/json")]).raw.status == "415")
            #expect(await ask(server, [("content-type", "")]).raw.status == "415")
            #expect(await ask(server, [(":method", "PUT")]).raw.status == "405")
            #expect(await ask(server, [(":method", "GET"), (":path", "/")]).raw.status == "405")
            #expect(await ask(server, [("te", "")]).answer.code == .ok)
        }
    }

    @Test func theHealthPageFollowsTheServersHealth() async throws {
        try await withSocket { server in
            let page = [(name: ":method", value: "GET"), (":path", "/healthz"), ("content-type", "")]
            var raw = await ask(server, page, body: []).raw
            #expect(raw.status == "200" && raw.body == Array("ok\n".utf8))
            server.server.health.set("", serving: false, reason: "disk full")
            raw = await ask(server, page, body: []).raw
            #expect(raw.status == "503" && raw.body == Array("not serving: disk full\n".utf8))
        }
    }

    @Test func anUnknownEncodingIsAnsweredWithTheKnownOne() async throws {
        try await withSocket { server in
            let (answer, raw) = await ask(server, [("grpc-encoding", "gzip")])
            #expect(answer.code == .unimplemented)
            #expect(raw.headers.contains { $0 == ("grpc-accept-encoding", "identity") })
            #expect(await ask(server, [("grpc-encoding", "identity")]).answer.code == .ok)
        }
    }

    @Test(arguments: [
        ([1, 0, 0, 0, 0] as [UInt8], RPCStatusCode.internal), ([2, 0, 0, 0, 0], .internal),
        ([0, 0, 0, 0, 5, 1], .internal),
        ([0, 0], .internal), ([], .unimplemented), ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0], .unimplemented),
        ([0, 0, 0, 16, 0], .resourceExhausted),
    ])
    func brokenFramesEndTheCallAndNotTheConnection(bytes: [UInt8], code: RPCStatusCode) async throws {
        try await withSocket(configure: { $0.maxRequestBytes = 1_000 }) { server in
            for method in [EchoService.direct, EchoService.unary, EchoService.expand] {
                #expect(await ask(server, [(":path", method.path)], body: bytes).answer.code == code)
            }
            #expect(await ask(server).answer.code == .ok)
        }
    }

    @Test func anOversizedMessageIsRefusedOnItsPrefixAlone() async throws {
        try await withSocket { server in
            let call = await server.open([(":path", EchoService.chat.path)])
            call.send(framed: [0, 0, 0x40, 0, 1])
            #expect(await call.answer().code == .resourceExhausted)
            let large = EchoMessage.with { $0.payload = [UInt8](repeating: 7, count: (4 << 20) - 64) }
            let echoed = await server.call(EchoService.unary, [large])
            #expect(echoed.code == .ok && echoed.messages.first == large)
        }
    }

    @Test func tooLargeAResponseIsRefused() async throws {
        try await withSocket(configure: { $0.maxResponseBytes = 100 }) { server in
            let message = EchoMessage.with { $0.payload = [UInt8](repeating: 1, count: 101) }
            #expect(await server.call(EchoService.direct, [message]).code == .resourceExhausted)
            #expect(await server.call(EchoService.unary, [message]).code == .resourceExhausted)
        }
    }

    @Test func tooMuchMetadataIsRefused() async throws {
        try await withSocket { server in
            let large = String(repeating: "x", count: 20_000)
            #expect(await ask(server, [("x-large", large)]).answer.code == .resourceExhausted)
            #expect(await ask(server, [("a-bin", "!")]).answer.code == .internal)
            #expect(await ask(server).answer.code == .ok)
        }
    }

    @Test func anEarlyStatusComesWholeBeforeTheStreamIsReset() async throws {
        try await withSocket { server in
            let call = await server.open([(":path", "/no/Such")])
            call.send(framed: MessageFraming.frame([UInt8](repeating: 0, count: 100)))
            #expect(await call.answer().code == .unimplemented)
            // The end came first; the client went on, and was reset only later and with NO_ERROR.
            try await eventually { call.raw.errorCode != nil }
            #expect(call.raw.errorCode == HTTP2ErrorCode.noError)
        }
    }

    @Test func aPathWithoutAMethodIsUnimplemented() async throws {
        try await withSocket { server in
            let answer = await ask(server, [(":path", "/tollgate.test.Echo/Nope")]).answer
            #expect(answer.code == .unimplemented && answer.message.contains("/tollgate.test.Echo/Nope"))
        }
    }

    @Test func aMalformedTimeoutIsRefused() async throws {
        try await withSocket { server in
            #expect(await ask(server, [("grpc-timeout", "soon")]).answer.code == .invalidArgument)
            #expect(await ask(server, [("grpc-timeout", "0n")]).answer.code == .deadlineExceeded)
            #expect(await ask(server, [("grpc-timeout", "99999999H")]).answer.code == .ok)
        }
    }

    @Test func veryLongTextsOfErrorsAreCut() async throws {
        try await withSocket { server in
            let text = String(repeating: "ü", count: 30_000)
            let answer = await server.call(EchoService.unary, "fail:3:" + text)
            #expect(answer.code == .invalidArgument && answer.message.count == 2_048)
        }
    }

    @Test func aStatusComesThroughWhateverItsHandlerAddedToIt() async throws {
        try await withSocket { server in
            let answer = await server.call(EchoService.unary, "overload")
            #expect(answer.code == .dataLoss && answer.message == "much" && answer.details.isEmpty)
        }
    }
}

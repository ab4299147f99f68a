import Locks
import Protobuf
import RPC
import Testing

/// What a channel makes of servers and proxies that are not as they should be.
@Suite(.timeLimit(.minutes(1))) struct ChannelWireTests {
    /// Makes one unary call against a script, and says how it failed.
    private func failure(_ actions: [ScriptedServer.Action], maxResponseBytes: Int? = nil) async throws -> RPCError? {
        let server = ScriptedServer { _ in actions }
        defer { server.stop() }
        return try await withChannel([server.endpoint]) { channel in
            await channel.failure(options: CallOptions(maxResponseBytes: maxResponseBytes))
        }
    }

    @Test func anAnswerInOrderIsTaken() async throws {
        let server = ScriptedServer { _ in ScriptedServer.Action.answer("hello") }
        defer { server.stop() }
        try await withChannel([server.endpoint]) { channel in
            let answer = try await channel.say("x")
            #expect(answer == "hello")
        }
    }

    @Test(
        arguments: [
            (0, .internal), (1, .internal), (2, .internal), (3, .internal), (4, .internal), (6, .internal),
            (9, .internal),
            (10, .internal), (8, .cancelled), (11, .resourceExhausted), (12, .permissionDenied), (5, .unknown),
            (99, .unknown),
        ] as [(UInt32, RPCStatusCode)])
    func aResetMeansWhatItsCodeSays(reset: UInt32, code: RPCStatusCode) async throws {
        #expect(try await failure([.reset(reset)])?.code == code)
        #expect(try await failure([.head, .message("x"), .reset(reset)])?.code == code)
    }

    @Test(
        arguments: [
            (400, .internal), (401, .unauthenticated), (403, .permissionDenied), (404, .unimplemented),
            (429, .unavailable),
            (502, .unavailable), (503, .unavailable), (504, .unavailable), (500, .unknown), (418, .unknown),
            (302, .unknown),
        ] as [(Int, RPCStatusCode)])
    func anAnswerOfAProxyMeansWhatItsStatusSays(status: Int, code: RPCStatusCode) async throws {
        let head: [(String, String)] = [(":status", "\(status)"), ("content-type", "text/html")]
        #expect(try await failure([.headers(head), .data(Array("<html>".utf8), endStream: true)])?.code == code)
        #expect(try await failure([.headers(head, endStream: true)])?.code == code)
    }

    @Test func aGRPCStatusCountsMoreThanTheHTTPStatus() async throws {
        let head: [(String, String)] = [(":status", "503"), ("content-type", "application/grpc"), ("grpc-status", "5")]
        #expect(try await failure([.headers(head, endStream: true)])?.code == .notFound)
    }

    @Test func anAnswerThatIsNotGRPCIsUnknown() async throws {
        for type in ["text/plain", "application/grpcx", "application/json"] {
            let head: [(String, String)] = [(":status", "200"), ("content-type", type)]
            #expect(try await failure([.headers(head), .message("x"), .ok])?.code == .unknown)
        }
    }

    @Test(arguments: ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"])
    func everyFormOfTheContentTypeIsTaken(type: String) async throws {
        #expect(
            try await failure([.headers([(":status", "200"), ("content-type", type)]), .message("x"), .ok]) == nil)
    }

    @Test func trailersOnlyGiveTheStatusWithTextDetailsAndMetadata() async throws {
        let status = Status.with {
            $0.code = 8
            $0.details = [ProtoAny(packing: ErrorInfo.with { $0.reason = "INSUFFICIENT_CREDITS" })]
        }
        let error = try await failure([
            .headers(
                [
                    (":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "8"),
                    ("grpc-message", "100%25 %E2%98%BA %zz"), ("x-more", "y"),
                    ("grpc-status-details-bin", Base64.encode(status.wireBytes(), padded: false)),
                ], endStream: true)
        ])
        #expect(error?.code == .resourceExhausted)
        #expect(error?.message == "100% ☺ %zz")
        #expect(error?.errorInfo?.reason == "INSUFFICIENT_CREDITS")
        #expect(error?.metadata["x-more"] == "y")
    }

    @Test(arguments: ["", "x", "17", "-1", "99999999999999999999", "0x0"])
    func aStatusThatIsNoneIsUnknown(status: String) async throws {
        let trailers = ScriptedServer.Action.headers([("grpc-status", status)], endStream: true)
        #expect(try await failure([.head, .message("x"), trailers])?.code == .unknown)
    }

    @Test func anEndWithoutAStatusIsUnknown() async throws {
        #expect(try await failure([.head, .headers([("x", "y")], endStream: true)])?.code == .unknown)
        #expect(try await failure([.head, .message("x"), .data([], endStream: true)])?.code == .unknown)
    }

    @Test func aUnaryAnswerHasExactlyOneMessage() async throws {
        #expect(try await failure([.head, .ok])?.code == .unimplemented)
        #expect(try await failure([.head, .message("x"), .message("y"), .ok])?.code == .unimplemented)
    }

    @Test func aMessageThatIsCutOffIsInternal() async throws {
        #expect(try await failure([.head, .data([0, 0, 0, 0, 9, 1]), .ok])?.code == .internal)
        #expect(try await failure([.head, .data([0, 0], endStream: true)])?.code == .internal)
    }

    @Test func aMessageIsPutTogetherFromAnyPieces() async throws {
        let bytes = MessageFraming.frame(EchoMessage.with { $0.text = "in pieces" })
        let server = ScriptedServer { _ in [.head] + bytes.map { .data([$0]) } + [.ok] }
        defer { server.stop() }
        try await withChannel([server.endpoint]) { channel in
            let answer = try await channel.say("x")
            #expect(answer == "in pieces")
        }
    }

    @Test func aMessageThatCannotBeReadIsInternal() async throws {
        #expect(try await failure([.head, .data([1, 0, 0, 0, 1, 0]), .ok])?.code == .internal)
        #expect(try await failure([.head, .data([7, 0, 0, 0, 1, 0]), .ok])?.code == .internal)
        #expect(try await failure([.head, .data([0, 0, 0, 0, 1, 0xFF]), .ok])?.code == .internal)
    }

    @Test func aMessageOverTheLimitIsRefusedByItsPrefix() async throws {
        #expect(try await failure([.head, .data([0, 0, 0, 1, 1])], maxResponseBytes: 256)?.code == .resourceExhausted)
        #expect(
            try await failure(
                [.head, .data([0, 0, 0, 1, 0]), .data([UInt8](repeating: 0, count: 256)), .ok], maxResponseBytes: 256)?
                .code == .internal)
        #expect(try await failure([.head, .data([0, 255, 255, 255, 255])])?.code == .resourceExhausted)
    }

    @Test func aRefusedCallIsSentAgainUpToTheBound() async throws {
        let server = ScriptedServer { $0.number < 2 ? [.reset(7)] : ScriptedServer.Action.answer("at last") }
        defer { server.stop() }
        try await withChannel([server.endpoint]) { channel in
            let answer = try await channel.say("x")
            #expect(answer == "at last")
        }
        #expect(server.requestCount == 3)

        let stubborn = ScriptedServer { _ in [.reset(7)] }
        defer { stubborn.stop() }
        try await withChannel([stubborn.endpoint]) { channel in
            #expect(await channel.failure()?.code == .unavailable)
        }
        #expect(stubborn.requestCount == 1 + Limits.transparentRetries)
    }

    @Test func aStreamingCallIsSentAgainWithAllItsMessages() async throws {
        let server = ScriptedServer { $0.number == 0 ? [.reset(7)] : ScriptedServer.Action.answer("whole") }
        defer { server.stop() }
        try await withChannel([server.endpoint]) { channel in
            let call: ClientStreamingCall<EchoMessage, EchoMessage> = channel.clientStreaming(
                EchoService.collect, options: CallOptions())
            try await call.send(.with { $0.text = "a" })
            try await call.send(.with { $0.text = "b" })
            #expect(try await call.finish().text == "whole")
        }
        #expect(server.requestCount == 2)
    }

    @Test func aCallThatTheServerMayHaveBegunIsNotSentAgain() async throws {
        for actions in [[.close], [.head, .close], [.head, .message("x"), .close]] as [[ScriptedServer.Action]] {
            let server = ScriptedServer { _ in actions }
            defer { server.stop() }
            try await withChannel([server.endpoint]) { channel in
                #expect(await channel.failure()?.code == .unavailable)
            }
            #expect(server.requestCount == 1)
        }
    }

    @Test func aCallBehindTheLastOfAGoawayIsSentAgainOnANewConnection() async throws {
        let server = ScriptedServer { $0.connection == 0 ? [.goaway(last: 0)] : ScriptedServer.Action.answer("new") }
        defer { server.stop() }
        try await withChannel([server.endpoint]) { channel in
            let answer = try await channel.say("x")
            #expect(answer == "new")
        }
        #expect(server.connectionCount == 2)
    }

    @Test func aCallWithinAGoawayFinishesAndTheNextTakesANewConnection() async throws {
        // The first call is answered only when the second has come over another connection.
        let secondCame = Protected(false)
        let server = ScriptedServer { request in
            guard request.connection == 0 else {
                secondCame.withLock { $0 = true }
                return ScriptedServer.Action.answer("second")
            }
            return [.goaway(last: 1), .head, .message("first")]
        }
        defer { server.stop() }
        try await withChannel([server.endpoint]) { channel in
            async let first: RPCError? = channel.failure(options: CallOptions(timeout: .milliseconds(400)))
            try await eventually { server.requestCount == 1 }
            // The GOAWAY may still be on its way.
            try await eventually {
                (try? await channel.say("x", options: CallOptions(timeout: .milliseconds(50)))) == "second"
            }
            #expect(secondCame.withLock { $0 })
            // The call stayed open on its old connection until its own time had run out.
            #expect(await first?.code == .deadlineExceeded)
        }
        #expect(server.connectionCount == 2)
    }

    @Test func callsWaitWhileTheServerTakesNoMore() async throws {
        // SETTINGS_MAX_CONCURRENT_STREAMS 1: nghttp2 would end the connection of a client that goes over it.
        let server = ScriptedServer(settings: [(3, 1)]) { ScriptedServer.Action.answer("\($0.number)") }
        defer { server.stop() }
        try await withChannel([server.endpoint]) { channel in
            let answers = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<50 { group.addTask { try await channel.say("x") } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(answers.count == 50)
        }
        #expect(server.connectionCount == 1)
    }

    @Test func theQueueHasRoomAgainForEveryCallThatLeavesIt() async throws {
        let server = ScriptedServer(settings: [(3, 0)]) { _ in [] }
        defer { server.stop() }
        try await withChannel([server.endpoint], configure: { $0.maxQueuedCalls = 2 }) { channel in
            // No call ever gets a stream: each leaves the queue by its deadline or its task's end.
            for round in 0..<20 {
                let isCancelled = round.isMultiple(of: 2)
                let options = CallOptions(timeout: isCancelled ? .seconds(600) : .milliseconds(5))
                let tasks = (0..<4).map { _ in Task { await channel.failure(options: options)?.code } }
                if isCancelled { for task in tasks { task.cancel() } }
                var codes: [RPCStatusCode?] = []
                for task in tasks { codes.append(await task.value) }
                let ended: RPCStatusCode = isCancelled ? .cancelled : .deadlineExceeded
                #expect(codes.allSatisfy { $0 == ended || $0 == .resourceExhausted })
                #expect(codes.filter { $0 == ended }.count >= 2)
            }
        }
    }

    @Test func callsBeyondTheQueueAreRefused() async throws {
        let server = ScriptedServer(settings: [(3, 1)]) { _ in [] }
        defer { server.stop() }
        try await withChannel([server.endpoint], configure: { $0.maxQueuedCalls = 2 }) { channel in
            let (ends, end) = AsyncStream<RPCStatusCode?>.makeStream()
            let tasks = (0..<8).map { _ in Task { end.yield(await channel.failure()?.code) } }
            var codes: [RPCStatusCode?] = []
            for await code in ends {
                codes.append(code)
                // Two wait and one has the stream; the one may have waited first, while the connection was made.
                if codes.count == 5 { channel.close() }
                if codes.count == tasks.count { break }
            }
            #expect(codes.allSatisfy { $0 == .resourceExhausted || $0 == .unavailable })
            #expect(codes.filter { $0 == .unavailable }.count >= 2)
        }
    }

    @Test func brokenBase64InMetadataIsAnErrorOfTheCall() async throws {
        let server = ScriptedServer { _ in
            [.headers([(":status", "200"), ("content-type", "application/grpc"), ("x-bin", "!")]), .message("x"), .ok]
        }
        defer { server.stop() }
        try await withChannel([server.endpoint]) { channel in
            #expect(await channel.failure()?.code == .internal)
            let answers: ResponseStream<EchoMessage> = channel.serverStreaming(
                EchoService.expand, EchoMessage(), options: CallOptions())
            await #expect { try await answers.first { _ in true } } throws: { ($0 as? RPCError)?.code == .internal }
        }
    }
}

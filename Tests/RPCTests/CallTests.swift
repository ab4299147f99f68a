import Locks
import Protobuf
import RPC
import Testing

/// What callers and handlers may rely on, over every transport.
@Suite(.timeLimit(.minutes(1))) struct CallTests {
    @Test(arguments: TransportKind.allCases)
    func everyShapeAnswers(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            let direct = await server.call(EchoService.direct, "hello")
            #expect(direct.code == .ok && direct.messages.map(\.text) == ["hello"])
            let unary = await server.call(EchoService.unary, "hello")
            #expect(unary.code == .ok && unary.messages.map(\.text) == ["hello"])
            let expanded = await server.call(EchoService.expand, "x", count: 100)
            #expect(expanded.code == .ok && expanded.messages.map(\.count) == Array(0..<100))
            let texts = (0..<50).map { "\($0)," }
            let requests = texts.map { text in EchoMessage.with { $0.text = text } }
            let collected = await server.call(EchoService.collect, requests)
            #expect(collected.messages.first?.text == texts.joined() && collected.messages.first?.count == 50)
            let chat = await server.call(EchoService.chat, requests)
            #expect(chat.code == .ok && chat.messages.map(\.text) == texts)
        }
    }

    @Test(arguments: TransportKind.allCases)
    func aStreamWithoutMessagesIsWhole(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            #expect(await server.call(EchoService.expand, "none").messages.isEmpty)
            #expect(await server.call(EchoService.chat, []).code == .ok)
            #expect(await server.call(EchoService.collect, []).messages.first?.count == 0)
        }
    }

    @Test(arguments: TransportKind.allCases)
    func bidirectionalMessagesAlternate(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            let call = await server.open(EchoService.chat, metadata: Metadata(), timeoutNs: nil)
            var next = 0
            call.send(.with { $0.text = "0" })
            for await event in call.events {
                guard case .message(let message) = event else { continue }
                #expect(message.text == "\(next)")
                next += 1
                if next < 20 { call.send(.with { $0.text = "\(next)" }) } else { call.end() }
            }
            #expect(next == 20)
        }
    }

    @Test(arguments: TransportKind.allCases)
    func anErrorOfTheHandlerReachesTheCallerWithItsText(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            for method in [
                EchoService.direct, EchoService.unary, EchoService.expand, EchoService.collect, EchoService.chat,
            ] {
                let answer = await server.call(method, "fail:9:kaputt ☺ 100%")
                #expect(answer.code == .failedPrecondition && answer.message == "kaputt ☺ 100%", "\(method.name)")
                #expect(answer.messages.isEmpty)
            }
            let later = await server.call(EchoService.expand, "fail after", count: 3)
            #expect(later.code == .aborted && later.messages.count == 3)
        }
    }

    @Test(arguments: TransportKind.allCases)
    func anyOtherErrorIsInternalWithoutItsText(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            let answer = await server.call(EchoService.unary, "throw")
            #expect(answer.code == .internal && answer.message == "internal error")
        }
    }

    @Test(arguments: TransportKind.allCases)
    func aDirectCallLetGoOfIsInternal(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            #expect(await server.call(EchoService.direct, "silent").code == .internal)
            #expect(await server.call(EchoService.direct, "elsewhere").messages.map(\.text) == ["elsewhere"])
        }
    }

    @Test(arguments: TransportKind.allCases)
    func answersFromOtherThreadsReachTheirOwnCallers(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<500 {
                    group.addTask {
                        let request = EchoMessage.with {
                            $0.text = "elsewhere"
                            $0.count = Int64(number)
                        }
                        let answer = await server.call(EchoService.direct, [request])
                        #expect(answer.code == .ok && answer.messages == [request])
                    }
                }
            }
        }
    }

    @Test(arguments: TransportKind.allCases)
    func aUnaryCallTakesExactlyOneMessage(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            for method in [EchoService.direct, EchoService.unary, EchoService.expand] {
                #expect(await server.call(method, []).code == .unimplemented)
                #expect(await server.call(method, [EchoMessage(), EchoMessage()]).code == .unimplemented)
            }
            #expect(server.echo.seen.started == 0)
        }
    }

    @Test(arguments: TransportKind.allCases)
    func anUndecodableMessageIsInternal(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            for method in [EchoService.direct, EchoService.unary, EchoService.collect, EchoService.expand] {
                let call = await server.open(method, metadata: Metadata(), timeoutNs: nil)
                call.send(framed: MessageFraming.frame([0x0A, 0xFF]))
                call.end()
                #expect(await call.answer().code == .internal)
            }
        }
    }

    @Test(arguments: TransportKind.allCases)
    func theDeadlineEndsACallAndItsHandler(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            for method in [EchoService.direct, EchoService.unary, EchoService.chat] {
                let before = server.echo.seen.waiting
                var timeoutNs: Int64 = 20_000_000
                // On a busy machine a deadline may pass before its handler begins: then one more, longer, shows it.
                repeat {
                    let wait = [EchoMessage.with { $0.text = "wait" }]
                    #expect(await server.call(method, wait, timeoutNs: timeoutNs).code == .deadlineExceeded)
                    timeoutNs *= 2
                } while server.echo.seen.waiting == before
                try await eventually { server.echo.seen.cancelled == server.echo.seen.waiting }
            }
            #expect(await server.call(EchoService.unary, [EchoMessage()], timeoutNs: 0).code == .deadlineExceeded)
            #expect(await server.call(EchoService.unary, [EchoMessage()], timeoutNs: .max).code == .ok)
        }
    }

    @Test(arguments: TransportKind.allCases)
    func cancellationReachesTheHandler(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            for method in [EchoService.direct, EchoService.unary, EchoService.collect, EchoService.chat] {
                let before = server.echo.seen
                let call = await server.open(method, metadata: Metadata(), timeoutNs: nil)
                call.send(.with { $0.text = "wait" })
                call.end()
                try await eventually { server.echo.seen.waiting > before.waiting }
                call.cancel()
                try await eventually { server.echo.seen.cancelled == before.cancelled + 1 }
            }
        }
    }

    @Test(arguments: TransportKind.allCases)
    func metadataGoesBothWays(transport: TransportKind) async throws {
        try await withServer(transport) { server in
            var metadata: Metadata = ["x-text": "one"]
            try metadata.add("x-text", "two")
            try metadata.add("x-data-bin", bytes: [0, 1, 0xFF])
            try metadata.add("x-data-bin", bytes: [])
            for method in [EchoService.direct, EchoService.unary, EchoService.chat] {
                let answer = await server.call(method, [.with { $0.text = "metadata" }], metadata: metadata)
                #expect(answer.messages.first?.text == "one|two")
                #expect(answer.initialMetadata["x-initial"] == "before")
                #expect(answer.trailers["x-trailing"] == "after")
                #expect(answer.trailers.bytes("x-data-bin") == [[0, 1, 0xFF], []])
            }
        }
    }

    @Test(arguments: TransportKind.allCases)
    func tooManyCallsAreRefusedWithATimeToRetry(transport: TransportKind) async throws {
        try await withServer(transport, configure: { $0.maxConcurrentCalls = 2 }) { server in
            let held = [
                await server.open(EchoService.chat, metadata: Metadata(), timeoutNs: nil),
                await server.open(EchoService.chat, metadata: Metadata(), timeoutNs: nil),
            ]
            try await eventually { server.echo.seen.started == 2 }
            let refused = await server.call(EchoService.direct, "hello")
            #expect(refused.code == .unavailable)
            let retry = try #require(try refused.details.first?.unpack(RetryInfo.self))
            let delay = try #require(retry.retryDelay?.duration)
            #expect((.milliseconds(100)...(.milliseconds(300))).contains(delay))
            for call in held { call.end() }
            for call in held { #expect(await call.answer().code == .ok) }
            while await server.call(EchoService.direct, "hello").code != .ok {
                try await Task.sleep(for: .milliseconds(2))
            }
        }
    }

    @Test(arguments: TransportKind.allCases)
    func interceptorsRunInOrderBeforeTheHandlerAndSeeTheEnd(transport: TransportKind) async throws {
        let first = RecordingInterceptor("first")
        let second = RecordingInterceptor("second", refusing: "x-stop")
        try await withServer(transport, interceptors: [first, second]) { server in
            #expect(await server.call(EchoService.direct, "hello").code == .ok)
            let stopped = await server.call(EchoService.chat, [], metadata: ["x-stop": "1"])
            #expect(stopped.code == .permissionDenied && stopped.message == "second")
            #expect(server.echo.seen.started == 1)
            #expect(
                first.seen == ["admit Direct", "finished OK first", "admit Chat", "finished PERMISSION_DENIED first"])
            #expect(
                second.seen == [
                    "admit Direct", "finished OK second", "admit Chat", "finished PERMISSION_DENIED second",
                ])
        }
    }
}

/// Writes down what it is called with, names itself the principal, and refuses calls with a certain key.
final class RecordingInterceptor: ServerInterceptor {
    private let name: String
    private let refusedKey: String?
    private let record = Protected<[String]>([])

    var seen: [String] { record.withLock { $0 } }

    init(_ name: String, refusing refusedKey: String? = nil) {
        self.name = name
        self.refusedKey = refusedKey
    }

    func admit(_ context: ServerContext) throws(RPCError) {
        record.withLock { $0.append("admit \(context.method.name)") }
        context.setPrincipal(Name(name))
        if let refusedKey, context.metadata(refusedKey) != nil {
            throw RPCError(code: .permissionDenied, message: name)
        }
    }

    func finished(_ context: ServerContext, code: RPCStatusCode, durationNs: Int64) {
        // The last one's name stands in the slot; each notes its own all the same.
        let principal = context.principal(as: Name.self)?.text ?? "nobody"
        record.withLock { $0.append("finished \(code.name) \(principal == "second" ? name : principal)") }
    }
}

/// A principal of these tests.
private final class Name: Sendable {
    let text: String

    init(_ text: String) { self.text = text }
}

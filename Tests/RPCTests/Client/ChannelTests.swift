import HTTP2
import Protobuf
import RPC
import Synchronization
import Testing

/// What a channel does with real servers.
@Suite(.timeLimit(.minutes(1))) struct ChannelTests {
    /// A server and a channel to it.
    private func withEcho<Result>(
        configure: (inout ClientConfiguration) -> Void = { _ in },
        _ body: (EchoServer, ClientChannel) async throws -> Result
    ) async throws -> Result {
        let server = try EchoServer()
        defer { server.stop() }
        return try await withChannel([server.endpoint], configure: configure) { try await body(server, $0) }
    }

    @Test func everyShapeAnswers() async throws {
        try await withEcho { _, channel in
            #expect(try await channel.say("direct") == "direct")
            #expect(try await channel.say("unary", EchoService.unary) == "unary")

            let expanded: ResponseStream<EchoMessage> = channel.serverStreaming(
                EchoService.expand, EchoMessage.with { $0.count = 300 }, options: CallOptions())
            var counts: [Int64] = []
            for try await message in expanded { counts.append(message.count) }
            #expect(counts == Array(0..<300))

            let upload: ClientStreamingCall<EchoMessage, EchoMessage> = channel.clientStreaming(
                EchoService.collect, options: CallOptions())
            for number in 0..<300 { try await upload.send(.with { $0.text = "\(number)," }) }
            let collected = try await upload.finish()
            #expect(collected.count == 300 && collected.text.hasSuffix("298,299,"))

            let chat: BidirectionalCall<EchoMessage, EchoMessage> = channel.bidirectional(
                EchoService.chat, options: CallOptions())
            var answers = chat.responses.makeAsyncIterator()
            for number in 0..<100 {
                try await chat.send(.with { $0.text = "\(number)" })
                #expect(try await answers.next()?.text == "\(number)")
            }
            chat.finishSending()
            #expect(try await answers.next() == nil)
        }
    }

    @Test func manyCallsShareOneConnection() async throws {
        try await withEcho { server, channel in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<500 {
                    group.addTask {
                        let answer = try await channel.say("\(number)")
                        #expect(answer == "\(number)")
                    }
                }
                try await group.waitForAll()
            }
            #expect(server.server.http2Metrics.count(of: .accepted) == 1)
        }
    }

    @Test func metadataCrossesBothWays() async throws {
        let configure: (inout ClientConfiguration) -> Void = {
            $0.metadata = ["x-text": "of the channel"]
            $0.interceptors = [Adding("of the interceptor")]
        }
        try await withEcho(configure: configure) { _, channel in
            let options = CallOptions(metadata: ["x-text": "of the call", "x-data-bin": .bytes([0, 255, 7])])
            let answer: UnaryResponse<EchoMessage> = try await channel.unary(
                EchoService.direct, EchoMessage.with { $0.text = "metadata" }, options: options)
            #expect(answer.message.text == "of the channel|of the call|of the interceptor")
            #expect(answer.metadata["x-initial"] == "before")
            #expect(answer.trailers["x-trailing"] == "after")
            #expect(answer.trailers.bytes("x-data-bin") == [[0, 255, 7]])

            let stream: ResponseStream<EchoMessage> = channel.serverStreaming(
                EchoService.expand,
                EchoMessage.with {
                    $0.text = "metadata"
                    $0.count = 1
                }, options: options)
            #expect(try await stream.initialMetadata()["x-initial"] == "before")
            for try await _ in stream {}
            #expect(stream.trailers["x-trailing"] == "after")
        }
    }

    @Test func anInterceptorCanRefuseACall() async throws {
        try await withEcho(configure: { $0.interceptors = [Refusing()] }) { server, channel in
            #expect(await channel.failure()?.code == .unauthenticated)
            let stream: ResponseStream<EchoMessage> = channel.serverStreaming(
                EchoService.expand, EchoMessage(), options: CallOptions())
            await #expect(throws: RPCError.self) { for try await _ in stream {} }
            #expect(server.server.http2Metrics.count(of: .accepted) == 0)
        }
    }

    @Test func anErrorOfTheServerArrivesAsItWas() async throws {
        try await withEcho { _, channel in
            let error = await channel.failure("fail:9:not now, 100% ☺")
            #expect(error?.code == .failedPrecondition && error?.message == "not now, 100% ☺")
            let stream: ResponseStream<EchoMessage> = channel.serverStreaming(
                EchoService.expand,
                EchoMessage.with {
                    $0.text = "fail after"
                    $0.count = 3
                }, options: CallOptions())
            var received = 0
            do throws(RPCError) {
                for try await _ in stream { received += 1 }
                Issue.record("the stream ends with an error")
            } catch {
                #expect(error.code == .aborted)
            }
            #expect(received == 3, "the messages before the error are handed out")
        }
    }

    @Test(arguments: [EchoService.direct, EchoService.unary])
    func aDeadlineEndsTheCallOnBothSides(method: MethodDescriptor) async throws {
        try await withEcho { server, channel in
            // On a busy machine the time may run out before the server has seen the call.
            try await eventually {
                let error = await channel.failure("wait", method, options: CallOptions(timeout: .milliseconds(30)))
                #expect(error?.code == .deadlineExceeded)
                return server.echo.seen.cancelled > 0
            }
            #expect(await channel.failure(options: CallOptions(timeout: .zero))?.code == .deadlineExceeded)
            #expect(try await channel.say("goes on") == "goes on")
        }
    }

    @Test func aDeadlineEndsAStreamThatWaits() async throws {
        try await withEcho { _, channel in
            let chat: BidirectionalCall<EchoMessage, EchoMessage> = channel.bidirectional(
                EchoService.chat, options: CallOptions(timeout: .milliseconds(30)))
            await #expect { for try await _ in chat.responses {} } throws: {
                ($0 as? RPCError)?.code == .deadlineExceeded
            }
        }
    }

    @Test func theDefaultTimeoutIsTheChannels() async throws {
        try await withEcho(configure: { $0.defaultTimeout = .milliseconds(20) }) { _, channel in
            #expect(await channel.failure("wait")?.code == .deadlineExceeded)
            let answer = try await channel.say("quick", options: CallOptions(timeout: .seconds(60)))
            #expect(answer == "quick")
        }
    }

    @Test(arguments: [EchoService.direct, EchoService.unary])
    func cancellingTheTaskCancelsTheCallAtTheServer(method: MethodDescriptor) async throws {
        try await withEcho { server, channel in
            let task = Task { await channel.failure("wait", method) }
            try await eventually { server.echo.seen.started == 1 }
            task.cancel()
            #expect(await task.value?.code == .cancelled)
            try await eventually { server.echo.seen.cancelled == 1 }
        }
    }

    @Test func aCallOfATaskThatIsCancelledAlreadyEnds() async throws {
        try await withEcho { _, channel in
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return await channel.failure("wait")
            }
            task.cancel()
            #expect(await task.value?.code == .cancelled)
        }
    }

    @Test func lettingGoOfAStreamCancelsIt() async throws {
        try await withEcho { server, channel in
            var chat: BidirectionalCall<EchoMessage, EchoMessage>? = channel.bidirectional(
                EchoService.chat, options: CallOptions())
            try await chat?.send(.with { $0.text = "wait" })
            try await eventually { server.echo.seen.taken == 1 }
            chat = nil
            try await eventually { server.echo.seen.cancelled == 1 }
        }
    }

    @Test func aReaderThatDoesNotReadHoldsTheServerBackAndNobodyElse() async throws {
        try await withEcho { server, channel in
            let wanted: Int64 = 400
            let stream: ResponseStream<EchoMessage> = channel.serverStreaming(
                EchoService.expand,
                EchoMessage.with {
                    $0.payload = [UInt8](repeating: 7, count: 32 << 10)
                    $0.count = wanted
                }, options: CallOptions())
            var reader = stream.makeAsyncIterator()
            #expect(try await reader.next()?.count == 0)
            // The window and the buffers on the way are full long before 12 MiB: the server's writer waits.
            var last = -1
            try await eventually {
                defer { last = server.echo.seen.taken }
                for _ in 0..<10 { _ = try? await channel.say("another call goes on") }
                return last == server.echo.seen.taken
            }
            #expect(server.echo.seen.taken < Int(wanted) / 2)
            var received = 1
            while let message = try await reader.next() {
                #expect(message.count == received)
                received += 1
            }
            #expect(received == wanted)
        }
    }

    @Test func aServerThatDoesNotReadHoldsTheSenderBack() async throws {
        try await withEcho { server, channel in
            let call: ClientStreamingCall<EchoMessage, EchoMessage> = channel.clientStreaming(
                EchoService.collect, options: CallOptions())
            try await call.send(.with { $0.text = "wait" })
            let sent = Atomic<Int>(0)
            let payload = [UInt8](repeating: 7, count: 32 << 10)
            let sender = Task {
                for _ in 0..<400 {
                    try await call.send(.with { $0.payload = payload })
                    sent.wrappingAdd(1, ordering: .relaxed)
                }
            }
            try await eventually { server.echo.seen.started == 1 }
            var last = -1
            try await eventually {
                defer { last = sent.load(ordering: .relaxed) }
                for _ in 0..<10 { _ = try? await channel.say("another call goes on") }
                return last > 0 && last == sent.load(ordering: .relaxed)
            }
            #expect(sent.load(ordering: .relaxed) < 200)
            call.cancel()
            await #expect { try await sender.value } throws: { ($0 as? RPCError)?.code == .cancelled }
        }
    }

    @Test func largeMessagesCrossBothWays() async throws {
        try await withEcho { _, channel in
            let payload = (0..<3 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let request = EchoMessage.with { $0.payload = payload }
            let answer: EchoMessage = try await channel.unary(EchoService.unary, request)
            #expect(answer.payload == payload)
            let chat: BidirectionalCall<EchoMessage, EchoMessage> = channel.bidirectional(
                EchoService.chat, options: CallOptions())
            var answers = chat.responses.makeAsyncIterator()
            for _ in 0..<3 {
                try await chat.send(request)
                #expect(try await answers.next()?.payload == payload)
            }
        }
    }

    @Test func aClosedChannelFailsItsCalls() async throws {
        try await withEcho { server, channel in
            let task = Task { await channel.failure("wait") }
            try await eventually { server.echo.seen.started == 1 }
            channel.close()
            #expect(await task.value?.code == .unavailable)
            #expect(await channel.failure()?.code == .unavailable)
            let stream: ResponseStream<EchoMessage> = channel.serverStreaming(
                EchoService.expand, EchoMessage(), options: CallOptions())
            await #expect { for try await _ in stream {} } throws: { ($0 as? RPCError)?.code == .unavailable }
        }
    }

    @Test func aCompletionMayStartTheNextCallOnTheLoop() async throws {
        try await withEcho { _, channel in
            let frame = MessageFraming.frame(EchoMessage.with { $0.text = "again" })
            let done = await withCheckedContinuation { continuation in
                Chain(channel: channel, frame: frame, left: 10_000, continuation: continuation).next()
            }
            #expect(done == 10_000)
        }
    }

    /// One call after the other, each started by the end of the one before.
    private final class Chain: Sendable {
        let channel: ClientChannel
        let frame: [UInt8]
        let wanted: Int
        let done = Atomic<Int>(0)
        let continuation: CheckedContinuation<Int, Never>

        init(channel: ClientChannel, frame: [UInt8], left: Int, continuation: CheckedContinuation<Int, Never>) {
            (self.channel, self.frame, wanted, self.continuation) = (channel, frame, left, continuation)
        }

        func next() {
            channel.startUnary(EchoService.direct, framed: frame) { [self] result in
                guard case .success = result else {
                    return continuation.resume(returning: done.load(ordering: .relaxed))
                }
                let count = done.wrappingAdd(1, ordering: .relaxed).newValue
                if count == wanted { continuation.resume(returning: count) } else { next() }
            }
        }
    }

    private struct Adding: ClientInterceptor {
        let text: String

        init(_ text: String) { self.text = text }

        func intercept(_ method: MethodDescriptor, metadata: inout Metadata) throws(RPCError) {
            do throws(MetadataError) {
                try metadata.add("x-text", text)
            } catch {
                throw RPCError(code: .internal, message: "\(error)")
            }
        }
    }

    private struct Refusing: ClientInterceptor {
        func intercept(_ method: MethodDescriptor, metadata: inout Metadata) throws(RPCError) {
            throw RPCError(code: .unauthenticated, message: "no token")
        }
    }
}

import HTTP2
import Locks
import Protobuf
import RPC

/// The message that all methods of the test service take and give.
struct EchoMessage: Message {
    /// What is echoed, or a command such as `fail:5:why`.
    var text = ""
    /// What makes a message large.
    var payload: [UInt8] = []
    /// How many messages are wanted or came.
    var count: Int64 = 0
    var unknownFields = UnknownFields()

    static var messageName: String { "tollgate.test.EchoMessage" }

    mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: text = try reader.string()
            case 18: payload = try reader.bytes()
            case 24: count = try reader.int64()
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    func encode(to writer: inout WireWriter) {
        if !text.isEmpty { writer.write(StringCodec.self, text, tag: 10) }
        if !payload.isEmpty { writer.write(BytesCodec.self, payload, tag: 18) }
        if count != 0 { writer.write(Int64Codec.self, count, tag: 24) }
        writer.writeUnknown(unknownFields)
    }

    func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if !text.isEmpty { json.write(StringCodec.self, text, key: "text") }
        json.endObject()
    }
}

/// An error that callers must not read.
struct PrivateError: Error {
    let secret = "the secret of the house"
}

/// A service with a method of each shape, and ways to make each of them fail, wait and see its call.
///
/// Texts of requests are commands: `slow` takes a while, `fail:<code>:<message>` and `throw` end the call, `wait` waits
/// until it is cancelled, `metadata` answers with the metadata it got, `details` fails with some, `overload` with far
/// too many, `silent` never answers a direct call.
final class EchoService: Sendable {
    /// What was seen by handlers.
    struct Seen: Sendable {
        /// Handlers that began, those of `wait` when they begin to wait.
        var started = 0
        /// Handlers that wait, or have waited, to be cancelled.
        var waiting = 0
        /// Those of them that were cancelled.
        var cancelled = 0
        /// Messages that streaming handlers took or gave.
        var taken = 0
    }

    static let service = "tollgate.test.Echo"
    static let direct = MethodDescriptor(service: service, name: "Direct", shape: .unary, direct: true)
    static let bare = MethodDescriptor(service: service, name: "Bare", shape: .unary, direct: true)
    static let unary = MethodDescriptor(service: service, name: "Unary", shape: .unary)
    static let collect = MethodDescriptor(service: service, name: "Collect", shape: .clientStreaming)
    static let expand = MethodDescriptor(service: service, name: "Expand", shape: .serverStreaming)
    static let chat = MethodDescriptor(service: service, name: "Chat", shape: .bidirectional)
    static let follow = MethodDescriptor(service: service, name: "Follow", shape: .bidirectional)

    private let seenState = Protected(Seen())
    private let followerList = Protected<[Follower]>([])

    /// Who follows, or followed, calls on the loop.
    var followers: [Follower] { followerList.withLock { $0 } }

    func forgetFollowers() { followerList.withLock { $0 = [] } }

    /// What was seen so far.
    var seen: Seen { seenState.withLock { $0 } }

    /// Registers all methods.
    func register(in registry: ServiceRegistry) {
        registry.direct(EchoService.direct) { (request: EchoMessage, call: DirectCall<EchoMessage>) in
            self.direct(request, call)
        }
        registry.bare(EchoService.bare, reading: EchoMessage.self) { (bytes, call) throws(WireError) in
            self.prepare(try EchoMessage(wireBytes: bytes), call)
        }
        registry.unary(EchoService.unary) { (request: EchoMessage, context) -> EchoMessage in
            try await self.answer(request, context)
        }
        registry.clientStreaming(EchoService.collect) {
            (requests: RequestStream<EchoMessage>, context) -> EchoMessage in
            try await self.collect(requests, context)
        }
        registry.serverStreaming(EchoService.expand) {
            (request: EchoMessage, writer: ResponseWriter<EchoMessage>, context) in
            _ = try await self.answer(request, context)
            for number in 0..<request.count {
                try await writer.write(
                    .with { ($0.text, $0.payload, $0.count) = (request.text, request.payload, number) })
                self.note { $0.taken += 1 }
            }
            if request.text == "fail after" { throw RPCError(code: .aborted, message: "after \(request.count)") }
        }
        registry.directStream(EchoService.follow) { [self] stream throws(RPCError) in
            if stream.context.metadata("x-refuse") != nil {
                throw RPCError(code: .failedPrecondition, message: "refused")
            }
            let follower = Follower(stream)
            followerList.withLock { $0.append(follower) }
            return follower
        }
        registry.bidirectional(EchoService.chat) {
            (requests: RequestStream<EchoMessage>, writer: ResponseWriter<EchoMessage>, context) in
            self.note { $0.started += 1 }
            for try await request in requests {
                self.note { $0.taken += 1 }
                try await writer.write(try await self.answer(request, context))
            }
        }
    }

    private func note(_ change: (inout Seen) -> Void) { seenState.withLock { change(&$0) } }

    private func direct(_ request: EchoMessage, _ call: DirectCall<EchoMessage>) {
        note { $0.started += 1 }
        switch request.text {
        case "silent": break
        case "wait":
            note { $0.waiting += 1 }
            call.context.onCancel { [self] in
                note { $0.cancelled += 1 }
                call.fail(RPCError(code: .cancelled, message: "too late to be seen"))
            }
        case "elsewhere":
            Task.detached { call.respond(request) }
        default:
            do throws(RPCError) {
                call.respond(try command(request, call.context))
            } catch {
                call.fail(error)
            }
        }
    }

    /// Makes the answer now and sends it in a later turn of the loop.
    private func prepare(_ request: EchoMessage, _ call: ServerCall) {
        note { $0.started += 1 }
        let loop = call.context.loop
        switch request.text {
        case "elsewhere":
            Task.detached {
                call.prepare(encoding: request.encode)
                loop.execute { call.completePrepared() }
            }
            return
        case "dropped":
            call.prepare(encoding: request.encode)
            loop.execute { call.complete(RPCError(code: .unavailable, message: "taken back")) }
            return
        case "metadata":
            call.context.setTrailingMetadata(["x-trailing": "after"])
            call.prepare(encoding: request.encode)
        case "refused": call.prepare(RPCError(code: .failedPrecondition, message: "no"))
        default: call.prepare(encoding: request.encode)
        }
        loop.execute { call.completePrepared() }
    }

    private func answer(_ request: EchoMessage, _ context: ServerContext) async throws -> EchoMessage {
        switch request.text {
        case "throw": throw PrivateError()
        case "slow":
            note { $0.started += 1 }
            try await Task.sleep(for: .milliseconds(300))
            return request
        case "wait":
            note {
                $0.started += 1
                $0.waiting += 1
            }
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                note { $0.cancelled += 1 }
                throw error
            }
            return request
        default: return try command(request, context)
        }
    }

    private func collect(_ requests: RequestStream<EchoMessage>, _ context: ServerContext) async throws -> EchoMessage {
        var result = EchoMessage()
        for try await request in requests {
            result.text += try await answer(request, context).text
            result.count += 1
            note { $0.taken += 1 }
            if request.text == "enough" { break }
        }
        return result
    }

    /// What all shapes understand.
    private func command(_ request: EchoMessage, _ context: ServerContext) throws(RPCError) -> EchoMessage {
        if request.text.hasPrefix("fail:") {
            let parts = request.text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            throw RPCError(code: RPCStatusCode(rawValue: Int(parts[1])!)!, message: String(parts[2]))
        }
        if request.text == "details" {
            let info = ErrorInfo.with {
                $0.reason = "WHY"
                $0.domain = "tollgate.test"
                $0.metadata = ["key": "value"]
            }
            throw RPCError(code: .resourceExhausted, message: "no", details: [ProtoAny(packing: info)])
        }
        if request.text == "overload" { throw try EchoService.overloaded(context) }
        guard request.text == "metadata" else { return request }
        context.setInitialMetadata(["x-initial": "before"])
        var trailing: Metadata = ["x-trailing": "after"]
        let binary = context.metadata.bytes("x-data-bin")
        do {
            for bytes in binary { try trailing.add("x-data-bin", bytes: bytes) }
        } catch {
            throw RPCError(code: .internal, message: "\(error)")
        }
        context.setTrailingMetadata(trailing)
        return .with { $0.text = context.metadata.texts("x-text").joined(separator: "|") }
    }

    /// An error with more of everything than a header block may hold.
    private static func overloaded(_ context: ServerContext) throws(RPCError) -> RPCError {
        var metadata = Metadata()
        do {
            for _ in 0..<4 { try metadata.add("x-much", String(repeating: "m", count: 8_000)) }
        } catch {
            throw RPCError(code: .internal, message: "\(error)")
        }
        context.setTrailingMetadata(metadata)
        let details = [ProtoAny(packing: ErrorInfo.with { $0.reason = String(repeating: "r", count: 15_000) })]
        return RPCError(code: .dataLoss, message: "much", details: details, metadata: metadata)
    }
}

import Locks
import Protobuf
import RPC
import TollgateClient

/// A channel without a network: a closure answers every unary call, and what was called is kept.
final class FakeChannel: RPCChannel {
    /// One call as it was made.
    struct Made: Sendable {
        let method: MethodDescriptor
        let request: [UInt8]
        let options: CallOptions

        /// The request as its message.
        func request<M: Message>(_ type: M.Type) -> M { try! M(wireBytes: request) }
    }

    private let calls = Protected<[Made]>([])
    private let answer: @Sendable (Made, Int) throws(RPCError) -> any Message

    /// A channel whose calls are answered by `answer`, which gets the call and how many came before it.
    init(_ answer: @escaping @Sendable (Made, Int) throws(RPCError) -> any Message) {
        self.answer = answer
    }

    /// All calls so far.
    var made: [Made] { calls.withLock { $0 } }

    func unary<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions
    ) async throws(RPCError) -> UnaryResponse<Response> {
        let call = Made(method: method, request: request.wireBytes(), options: options)
        let number = calls.withLock { calls in
            calls.append(call)
            return calls.count - 1
        }
        return UnaryResponse(message: try answer(call, number) as! Response)
    }

    func clientStreaming<Request: Message, Response: Message>(
        _ method: MethodDescriptor, options: CallOptions
    ) -> ClientStreamingCall<Request, Response> { fatalError("these tests make unary calls") }

    func serverStreaming<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions
    ) -> ResponseStream<Response> { fatalError("these tests make unary calls") }

    func bidirectional<Request: Message, Response: Message>(
        _ method: MethodDescriptor, options: CallOptions
    ) -> BidirectionalCall<Request, Response> { fatalError("these tests make unary calls") }
}

extension RPCError {
    /// An error as an overloaded server sends it.
    static func unavailable(retryAfter delay: Duration? = nil) -> RPCError {
        let details = delay.map { delay in
            [ProtoAny(packing: RetryInfo.with { $0.retryDelay = ProtoDuration(delay) })]
        }
        return RPCError(code: .unavailable, message: "busy", details: details ?? [])
    }
}

extension RetryPolicy {
    /// Waits that no test notices.
    static let quick = RetryPolicy(initialBackoff: .milliseconds(1), maxBackoff: .milliseconds(2))
}

/// A metering service that answers at once and keeps no book.
func meteringAnswer(_ call: FakeChannel.Made) -> any Message {
    switch call.method.name {
    case "Reserve":
        ReserveResponse.with { response in
            response.reservation = .with { $0.reservationID = call.request(ReserveRequest.self).reservationID }
        }
    case "Commit": CommitResponse()
    case "Release": ReleaseResponse()
    case "Refund": RefundResponse()
    case "Extend": ExtendResponse()
    case "Charge": ChargeResponse()
    case "GrantCredits": GrantCreditsResponse()
    default: GetBalanceResponse.with { $0.balance = .with { $0.availableMicros = 42 } }
    }
}

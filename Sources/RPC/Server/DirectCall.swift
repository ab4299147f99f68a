import Protobuf
import Synchronization

/// What a hot unary handler gets: its call, to be answered exactly once, at once or later, from any thread.
///
/// On the loop's thread an answer is sent at once; from elsewhere it hops there, many answers in one wake. The response
/// is encoded on the thread that gives it. An answer after the caller's deadline or cancellation is dropped. A call
/// that is let go of without an answer ends with INTERNAL, so that no caller waits for ever.
public final class DirectCall<Response: Message>: Sendable {
    @usableFromInline let call: ServerCall
    /// Set by the answer.
    private let isAnswered = Atomic<Bool>(false)

    @usableFromInline
    init(_ call: ServerCall) { self.call = call }

    deinit {
        if !isAnswered.load(ordering: .acquiring) {
            call.complete(RPCError(code: .internal, message: "the server gave no answer"))
        }
    }

    /// What is known of the call.
    public var context: ServerContext { call.context }

    /// Answers with a message.
    @inlinable
    public func respond(_ response: Response) { respond(encoding: { response.encode(to: &$0) }) }

    /// Answers with what `encode` writes, which must be a `Response` on the wire. It runs at once.
    public func respond(encoding encode: (inout WireWriter) -> Void) {
        claim()
        call.complete(encoding: encode)
    }

    /// Answers with an error.
    public func fail(_ error: RPCError) {
        claim()
        call.complete(error)
    }

    /// Holds the promise of one answer; a second one is a fault of the program.
    @usableFromInline
    func claim() {
        let wasAnswered = isAnswered.exchange(true, ordering: .acquiringAndReleasing)
        precondition(!wasAnswered, "A call was answered twice.")
    }
}

import Engine
import HTTP2
import Protobuf
import RPC

/// Completions of one batch that belong to one event loop run on it together: one wake, and one write per connection. What
/// the engine can tell at once, on the loop's own thread, need not wait for the loop's next turn.
extension EventLoop: CompletionQueue {
    package func run(_ work: @escaping @Sendable () -> Void) {
        if inLoop { work() } else { execute(work) }
    }
}

/// A call that is over, whyever, is worth no more work.
extension ServerCall: StepCaller {}

extension ServerContext {
    /// Who waits for what the engine does for the call.
    var caller: any StepCaller { call }
}

extension DirectCall {
    /// Where the call's answer is best given.
    var completionQueue: any CompletionQueue { context.loop }
}

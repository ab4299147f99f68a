import Engine
import HTTP2
import Protobuf
import RPC

/// Completions of one batch that belong to one event loop run on it together: one wake, and one write per connection.
extension EventLoop: CompletionQueue {
    package func run(_ work: @escaping @Sendable () -> Void) {
        execute(work)
    }
}

extension DirectCall {
    /// Where the call's answer is best given.
    var completionQueue: any CompletionQueue { context.loop }
}

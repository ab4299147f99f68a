import Foundation
import Locks

/// What a completion was called with, and how often it was.
final class Outcome<Value: Sendable>: Sendable {
    private let state = Protected<(value: Value?, calls: Int)>((nil, 0))
    private let isCalled = DispatchSemaphore(value: 0)

    /// The completion to hand over.
    var completion: @Sendable (Value) -> Void {
        { [self] value in
            state.withLock { $0 = (value, $0.calls + 1) }
            isCalled.signal()
        }
    }

    var calls: Int { state.withLock { $0.calls } }

    /// Blocks until the completion was called; nil where that takes longer than anything should.
    func wait() -> Value? {
        guard isCalled.wait(timeout: .now() + patience) == .success else { return nil }
        isCalled.signal()
        return state.withLock { $0.value }
    }
}

/// How long a test waits for what must come. Only a test that fails waits so long.
let patience: DispatchTimeInterval = .seconds(120)

/// Looks again and again until the condition holds; false where it does not come to that.
func eventually(_ condition: () -> Bool) -> Bool {
    let deadline = DispatchTime.now() + patience
    while DispatchTime.now() < deadline {
        if condition() { return true }
        usleep(1_000)
    }
    return condition()
}

/// Runs `body` on so many threads at once, and returns when all are through.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let threads = (0..<count).map { index in
        let thread = RunningThread()
        thread.start { body(index) }
        return thread
    }
    for thread in threads { thread.join() }
}

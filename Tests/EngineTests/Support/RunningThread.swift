import Dispatch
import Foundation

/// A thread that can be waited for.
final class RunningThread: Sendable {
    private let isDone = DispatchSemaphore(value: 0)

    func start(_ body: @escaping @Sendable () -> Void) {
        Thread.detachNewThread { [isDone] in
            body()
            isDone.signal()
        }
    }

    func join() { isDone.wait() }
}

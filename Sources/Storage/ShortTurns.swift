import Glibc
import Synchronization

/// Long work that nobody waits for yet, done in short turns: it lets every other thread have the processor first
/// (sched_yield(2)). A kernel would have it run for some milliseconds at a time otherwise, in which callers wait.
///
/// Who has such work takes short turns; whoever finds that it has become urgent, on any thread, makes them long again.
package final class ShortTurns: Sendable {
    private let areTaken = Atomic(false)
    private let letOthersGo: @Sendable () -> Void

    /// - Parameter letOthersGo: at the end of a turn.
    package init(letOthersGo: @escaping @Sendable () -> Void = { sched_yield() }) { self.letOthersGo = letOthersGo }

    package func take() { areTaken.store(true, ordering: .relaxed) }

    package func makeLong() {
        if areTaken.load(ordering: .relaxed) { areTaken.store(false, ordering: .relaxed) }
    }

    /// A turn is over, where turns are short.
    func end() {
        if areTaken.load(ordering: .relaxed) { letOthersGo() }
    }
}

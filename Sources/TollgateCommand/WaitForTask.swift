import Dispatch
import Locks

/// Runs the body as a task and blocks this thread, which must not be one that tasks run on, until it is done.
func waitForTask(_ body: @escaping @Sendable () async throws(CommandError) -> Void) throws(CommandError) {
    let outcome = Outcome()
    Task {
        do throws(CommandError) {
            try await body()
            outcome.set(nil)
        } catch {
            outcome.set(error)
        }
    }
    if let error = outcome.wait() { throw error }
}

/// How a task ended, for one thread that waits for it.
private final class Outcome: Sendable {
    private let error = Protected<CommandError?>(nil)
    private let isSet = DispatchSemaphore(value: 0)

    func set(_ value: CommandError?) {
        error.withLock { $0 = value }
        isSet.signal()
    }

    func wait() -> CommandError? {
        isSet.wait()
        return error.withLock { $0 }
    }
}

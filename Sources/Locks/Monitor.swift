import Glibc
import Synchronization

/// A mutex with one condition: what waits and what wakes share the state that the mutex guards.
///
/// `@unchecked Sendable`: the two pthread objects live at fixed addresses from init to deinit and are made for use from many threads.
package final class Monitor: @unchecked Sendable {
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
    @usableFromInline let condition: UnsafeMutablePointer<pthread_cond_t>
    /// Threads that found the lock taken and wait for it.
    private let waiting = Atomic(0)

    package init() {
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        // A jump of the wall clock must not stretch or cut a wait.
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        precondition(pthread_mutex_init(mutex, nil) == 0, "a mutex can be made")
        precondition(pthread_cond_init(condition, &attributes) == 0, "a condition can be made")
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    @inlinable
    package func lock() {
        if pthread_mutex_trylock(mutex) != 0 { lockLater() }
    }

    @usableFromInline
    func lockLater() {
        waiting.wrappingAdd(1, ordering: .relaxed)
        pthread_mutex_lock(mutex)
        waiting.wrappingSubtract(1, ordering: .relaxed)
    }

    /// Lets those have the lock who wait for it, and takes it again.
    ///
    /// The lock is not fair: who lets go of it and takes it again at once is sooner than a thread that must wake up first,
    /// and has it each time anew.
    package func giveWay() {
        unlock()
        for _ in 0..<Self.mostPauses where waiting.load(ordering: .relaxed) > 0 { usleep(Self.pauseUs) }
        lock()
    }

    private static let pauseUs: UInt32 = 20
    private static let mostPauses = 10

    @inlinable
    package func unlock() { pthread_mutex_unlock(mutex) }

    @inlinable
    package func locked<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        lock()
        defer { unlock() }
        return try body()
    }

    /// Lets go of the lock until woken; may wake for no reason.
    package func wait() { pthread_cond_wait(condition, mutex) }

    /// As `wait`, for at most `milliseconds`.
    package func wait(milliseconds: Int) { wait(untilNs: monotonicNs() + Int64(milliseconds) * 1_000_000) }

    /// As `wait`, at most until that time of `monotonicNs`.
    package func wait(untilNs dueNs: Int64) {
        var deadline = timespec(tv_sec: Int(dueNs / 1_000_000_000), tv_nsec: Int(dueNs % 1_000_000_000))
        pthread_cond_timedwait(condition, mutex, &deadline)
    }

    package func wake() { pthread_cond_signal(condition) }

    package func wakeAll() { pthread_cond_broadcast(condition) }
}

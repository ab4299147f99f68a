import Glibc

/// A mutex for what is not a plain value: files and handles that one thread at a time may use, for as long as a disk takes.
///
/// Made of a pthread mutex, as the other locks of this module: the standard library's `Mutex` is a futex of its own, which
/// the thread sanitizer cannot follow, so that it would report races where there are none.
///
/// `@unchecked Sendable`: the pthread object lives at a fixed address from init to deinit and is made for use from many threads.
package final class Lock: @unchecked Sendable {
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>

    package init() {
        mutex = .allocate(capacity: 1)
        precondition(pthread_mutex_init(mutex, nil) == 0, "a mutex can be made")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    @inlinable
    package func locked<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }
}

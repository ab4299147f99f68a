#if canImport(Glibc)
    import Glibc
#endif

/// A mutex for what is not a plain value: files and handles that one thread at a time may use, for as long as a disk takes.
///
/// `@unchecked Sendable`: the pthread object lives at a fixed address from init to deinit and is made for use from many threads.
final class Lock: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init() {
        mutex = .allocate(capacity: 1)
        precondition(pthread_mutex_init(mutex, nil) == 0, "a mutex can be made")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func locked<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body()
    }
}

import Glibc

/// A value and the lock that guards it, in one piece of memory.
///
/// `@unchecked Sendable`: the value is reached only under the pthread mutex beside it, and both live at a fixed address from
/// init to deinit.
package struct Protected<Value>: ~Copyable, @unchecked Sendable {
    @usableFromInline
    struct Storage {
        @usableFromInline var mutex = pthread_mutex_t()
        @usableFromInline var value: Value

        @usableFromInline
        init(_ value: Value) { self.value = value }
    }

    @usableFromInline let storage: UnsafeMutablePointer<Storage>

    @inlinable
    package init(_ value: consuming sending Value) {
        storage = .allocate(capacity: 1)
        storage.initialize(to: Storage(value))
        precondition(pthread_mutex_init(&storage.pointee.mutex, nil) == 0, "a mutex can be made")
    }

    @inlinable
    deinit {
        pthread_mutex_destroy(&storage.pointee.mutex)
        storage.deinitialize(count: 1)
        storage.deallocate()
    }

    /// Runs the body alone with the value. It must not ask for the same lock again.
    @inlinable
    package func withLock<Result, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(&storage.pointee.mutex)
        defer { pthread_mutex_unlock(&storage.pointee.mutex) }
        return try body(&storage.pointee.value)
    }
}

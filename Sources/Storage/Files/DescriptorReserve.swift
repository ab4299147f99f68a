import Locks

#if canImport(Glibc)
    import Glibc
#endif

/// File descriptors that are kept for the disk: where connections have taken all others, or the limit was lowered under a
/// running process, the journal can still begin a segment and a shard be opened.
package final class DescriptorReserve: Sendable {
    static let shared = DescriptorReserve(count: StorageLimits.reservedDescriptors)

    private let count: Int
    private let held = Protected<[Int32]>([])

    init(count: Int) {
        self.count = count
        fill()
    }

    deinit {
        for descriptor in held.withLock({ $0 }) { Glibc.close(descriptor) }
    }

    /// What was lent and then taken by a connection is had again before the next connection is let in.
    package static func refill() { shared.fill() }

    /// Runs `body`, and once more with the reserve's descriptors free where it found none.
    func lend<Result>(_ body: () throws(StorageError) -> Result) throws(StorageError) -> Result {
        do throws(StorageError) {
            return try body()
        } catch {
            guard error.isOutOfDescriptors else { throw error }
        }
        let lent = held.withLock { held in
            defer { held = [] }
            return held
        }
        for descriptor in lent { Glibc.close(descriptor) }
        defer { fill() }
        return try body()
    }

    /// Closes a descriptor of the disk's, or keeps it, where the reserve lacks one: a connection that waits would take it.
    func close(_ descriptor: Int32) {
        let isKept = held.withLock { held in
            guard held.count < count, let other = held.first, dup2(other, descriptor) >= 0 else { return false }
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            held.append(descriptor)
            return true
        }
        if !isKept { Glibc.close(descriptor) }
    }

    /// Takes what can be had, when something was closed.
    func fill() {
        held.withLock { held in
            while held.count < count {
                let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
                guard descriptor >= 0 else { return }
                held.append(descriptor)
            }
        }
    }
}

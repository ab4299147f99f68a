import CSQLite
import Locks

/// Who holds which of SQLite's five locks on a file (sqlite.org/lockingv3.html).
struct SQLiteLocks {
    private var shared: Set<ObjectIdentifier> = []
    private var reserved: ObjectIdentifier?
    private var pending: ObjectIdentifier?
    private var exclusive: ObjectIdentifier?

    var isReserved: Bool { reserved != nil || pending != nil || exclusive != nil }

    /// Raises the lock of `who`; the level that it has afterwards, which may lie below.
    mutating func raise(to level: Int32, from held: Int32, by who: ObjectIdentifier) -> Int32 {
        if level <= held { return held }
        switch level {
        case SQLITE_LOCK_SHARED:
            guard isFree(pending, for: who), isFree(exclusive, for: who) else { return held }
            shared.insert(who)
            return level
        case SQLITE_LOCK_RESERVED:
            guard isFree(reserved, for: who), isFree(pending, for: who), isFree(exclusive, for: who) else {
                return held
            }
            reserved = who
            return level
        default:
            guard isFree(reserved, for: who), isFree(pending, for: who), isFree(exclusive, for: who) else {
                return held
            }
            pending = who
            guard level == SQLITE_LOCK_EXCLUSIVE, shared.isSubset(of: [who]) else { return SQLITE_LOCK_PENDING }
            exclusive = who
            return level
        }
    }

    private func isFree(_ owner: ObjectIdentifier?, for who: ObjectIdentifier) -> Bool { owner == nil || owner == who }

    mutating func lower(to level: Int32, by who: ObjectIdentifier) {
        if reserved == who { reserved = nil }
        if pending == who { pending = nil }
        if exclusive == who { exclusive = nil }
        if level < SQLITE_LOCK_SHARED { shared.remove(who) }
    }

    mutating func release(_ who: ObjectIdentifier) { lower(to: SQLITE_LOCK_NONE, by: who) }
}

/// What the connections to one file with a write-ahead log share. A process that ends takes it along.
///
/// Guarded by the disk's lock, but for the memory of the regions, which is SQLite's to order.
final class SharedMemory {
    static let lockCount = 8
    private(set) var regions: [UnsafeMutableRawPointer] = []
    var users = 0
    var sharedCounts = [Int](repeating: 0, count: lockCount)
    /// Bits of the locks that somebody has alone.
    var exclusiveMask: UInt8 = 0

    func addRegion(_ byteCount: Int) {
        let region = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 16)
        region.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        regions.append(region)
    }

    deinit {
        for region in regions { region.deallocate() }
    }
}

extension OpenFile {
    /// A region of the shared memory; nil where it is not there and is not to be made.
    func region(_ index: Int, byteCount: Int, makes: Bool) throws(Failure) -> UnsafeMutableRawPointer? {
        try disk.perform(.share, path, at: index, by: self) { _ in
            let memory = joinSharedMemory()
            while makes, memory.regions.count <= index { memory.addRegion(byteCount) }
            return index < memory.regions.count ? memory.regions[index] : nil
        }
    }

    private func joinSharedMemory() -> SharedMemory {
        if let shared { return shared }
        let memory = node.sharedMemory ?? SharedMemory()
        node.sharedMemory = memory
        memory.users += 1
        shared = memory
        return memory
    }

    /// Takes or gives back locks of the shared memory; false where somebody else has one.
    func lockShared(_ mask: UInt8, exclusively: Bool, isTaken: Bool) -> Bool {
        disk.lock.locked {
            guard let shared else { return false }
            let places = (0..<SharedMemory.lockCount).filter { mask & 1 << $0 != 0 }
            if !isTaken {
                for place in places where sharedMask & 1 << place != 0 { shared.sharedCounts[place] -= 1 }
                shared.exclusiveMask &= ~(exclusiveMask & mask)
                sharedMask &= ~mask
                exclusiveMask &= ~mask
                return true
            }
            if shared.exclusiveMask & ~exclusiveMask & mask != 0 { return false }
            if exclusively {
                for place in places where shared.sharedCounts[place] > (sharedMask & 1 << place != 0 ? 1 : 0) {
                    return false
                }
                shared.exclusiveMask |= mask
                exclusiveMask |= mask
            } else {
                for place in places where sharedMask & 1 << place == 0 { shared.sharedCounts[place] += 1 }
                sharedMask |= mask
            }
            return true
        }
    }

    /// The disk's lock is held.
    func leaveSharedMemory() {
        guard let shared else { return }
        for place in 0..<SharedMemory.lockCount where sharedMask & 1 << place != 0 { shared.sharedCounts[place] -= 1 }
        shared.exclusiveMask &= ~exclusiveMask
        (sharedMask, exclusiveMask) = (0, 0)
        shared.users -= 1
        // SQLite may still hold a region of an abandoned file: it goes when the file does.
        if shared.users == 0, node.sharedMemory === shared { node.sharedMemory = nil }
        if !isAbandoned { self.shared = nil }
    }
}

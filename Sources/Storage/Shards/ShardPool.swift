import Locks

/// The open shards: at most so many stay open, each used by one thread at a time.
///
/// Where all places are taken, who writes much takes that of the shard that was not used for longest; who writes little, or
/// only looks, opens its shard for this one use. So many tenants with few steps each cost one short opening a flush, and not
/// an opening of their own and the closing of somebody else's.
///
/// `@unchecked Sendable`: `state` is guarded by `stateLock`, a pthread mutex, which the thread sanitizer understands.
final class ShardPool: @unchecked Sendable {
    /// A tenant's place in the pool, and what guards its shard.
    final class Slot: @unchecked Sendable {
        /// Its shard is closed when nobody uses it any more.
        let isBrief: Bool
        let lock = Lock()
        /// Guarded by `lock`.
        var shard: Shard?
        /// Guarded by the pool: how many threads use the slot or wait for it, and when it was last asked for.
        fileprivate var users = 0
        fileprivate var lastUse: UInt64 = 0

        fileprivate init(isBrief: Bool) {
            self.isBrief = isBrief
        }
    }

    fileprivate struct State {
        var slots: [TenantID: Slot] = [:]
        var briefCount = 0
        var clock: UInt64 = 0
    }

    private let stateLock = Lock()
    private var state = State()
    private let capacity: Int
    private let checkpointOnCloseBytes: Int64
    private let logs: ShardLogs

    /// - Parameter checkpointOnCloseBytes: Bytes of a log above which it is moved into its file when the shard is closed because
    ///   another one needs its place.
    init(capacity: Int, checkpointOnCloseBytes: Int64, logs: ShardLogs) {
        self.capacity = capacity
        self.checkpointOnCloseBytes = checkpointOnCloseBytes
        self.logs = logs
    }

    /// Runs `body` alone with the tenant's slot. A failure closes the shard: its next user begins from what is on the disk.
    /// Where the process has no descriptor left, others are closed and `body` runs again.
    ///
    /// - Parameter isMuch: The use is worth that another shard is closed for it.
    func with<Result>(
        _ tenant: TenantID, isMuch: Bool = false, _ body: (Slot) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        let (slot, victim) = enter(tenant, isMuch: isMuch)
        if let victim { close(victim, checkpointAbove: checkpointOnCloseBytes) }
        defer { leave(tenant, slot) }
        return try slot.lock.locked { () throws(StorageError) in
            do throws(StorageError) {
                return try run(body, slot)
            } catch {
                guard error.isOutOfDescriptors else { throw error }
            }
            closeLeastRecentlyUsed(StorageLimits.closedForRoom)
            return try DescriptorReserve.shared.lend { () throws(StorageError) in try run(body, slot) }
        }
    }

    private func run<Result>(
        _ body: (Slot) throws(StorageError) -> Result, _ slot: Slot
    ) throws(StorageError) -> Result {
        do throws(StorageError) {
            return try body(slot)
        } catch {
            slot.shard?.close()
            slot.shard = nil
            throw error
        }
    }

    var openCount: Int { stateLock.locked { state.slots.count } }

    /// Closes the shards that nobody uses at the moment and moves their logs into their files, but for those that it
    /// comes to when it is late.
    func closeIdle(isLate: () -> Bool = { false }) {
        let idle = stateLock.locked {
            let idle = state.slots.filter { $0.value.users == 0 }
            for tenant in idle.keys { state.slots[tenant] = nil }
            return Array(idle.values)
        }
        for slot in idle { close(slot, checkpointAbove: isLate() ? .max : 0) }
    }

    /// Closes some of those that nobody uses. Their logs stay: moving them takes time, and who calls has a slot locked.
    private func closeLeastRecentlyUsed(_ count: Int) {
        for _ in 0..<count {
            guard let victim = stateLock.locked({ state.takeLeastRecentlyUsed() }) else { return }
            close(victim, checkpointAbove: .max)
        }
    }

    private func enter(_ tenant: TenantID, isMuch: Bool) -> (Slot, victim: Slot?) {
        stateLock.locked {
            state.clock += 1
            var victim: Slot?
            let slot: Slot
            if let known = state.slots[tenant] {
                slot = known
            } else {
                let isFull = state.slots.count - state.briefCount >= capacity
                if isFull, isMuch { victim = state.takeLeastRecentlyUsed() }
                slot = Slot(isBrief: isFull && victim == nil)
                if slot.isBrief { state.briefCount += 1 }
                state.slots[tenant] = slot
            }
            slot.users += 1
            slot.lastUse = state.clock
            return (slot, victim)
        }
    }

    private func leave(_ tenant: TenantID, _ slot: Slot) {
        // Who comes while it is being closed finds the slot taken, and waits for its lock.
        if slot.isBrief, stateLock.locked({ slot.users == 1 }) {
            close(slot, checkpointAbove: checkpointOnCloseBytes)
        }
        stateLock.locked {
            slot.users -= 1
            guard slot.isBrief, slot.users == 0 else { return }
            state.slots[tenant] = nil
            state.briefCount -= 1
        }
    }

    private func close(_ slot: Slot, checkpointAbove bytes: Int64) {
        slot.lock.locked {
            guard let shard = slot.shard else { return }
            logs.checkpoint(shard, above: bytes)
            shard.close()
            slot.shard = nil
        }
        DescriptorReserve.shared.fill()
    }
}

extension ShardPool.State {
    /// Takes out the idle slot that was not used for longest; nil where all are in use.
    fileprivate mutating func takeLeastRecentlyUsed() -> ShardPool.Slot? {
        let oldest = slots.filter { $0.value.users == 0 && !$0.value.isBrief }.min {
            $0.value.lastUse < $1.value.lastUse
        }
        guard let oldest else { return nil }
        slots[oldest.key] = nil
        return oldest.value
    }
}

import CLinux
import Locks

/// The open shards: at most so many stay open, each used by one thread at a time.
///
/// Where all places are taken, who writes much takes that of the shard that was not used for longest, and so does anybody where
/// that one was idle for long; else who writes little, or only looks, opens its shard for this one use. So many tenants with few steps each cost one short opening a flush, and not
/// an opening of their own and the closing of somebody else's. Where so many tenants take turns that a place hardly ever
/// spares an opening, most places are given up, since each takes memory all the time.
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
        /// When the shard that was not used for longest had been used, as of the last look.
        private var oldestUse: UInt64 = 0
        /// What part of the uses all places would spare an opening, on average over the last ones.
        private var worth = 1.0
        /// Whether most places are given up, and whether some still are to be.
        private var isShrunk = false
        private var isShrinking = false
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
        if let victim { giveUp(victim) }
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
            let known = state.slots[tenant]
            state.noteUse(isSpared: known.map { !$0.isBrief } ?? false, capacity)
            let places = state.places(of: capacity)
            if let known {
                slot = known
            } else {
                let isFull = state.keptCount >= places
                if isFull { victim = isMuch ? state.takeLeastRecentlyUsed() : state.takeIdle(capacity) }
                slot = Slot(isBrief: isFull && victim == nil)
                if slot.isBrief { state.briefCount += 1 }
                state.slots[tenant] = slot
            }
            slot.users += 1
            slot.lastUse = state.clock
            if victim == nil, state.keptCount > places { victim = state.shrink() }
            return (slot, victim)
        }
    }

    private func giveUp(_ victim: Slot) {
        close(victim, checkpointAbove: checkpointOnCloseBytes)
        // What many shards had goes back to the system: what comes meanwhile keeps the allocator from doing that by itself.
        let hasShrunk = stateLock.locked { state.hasShrunk(from: capacity) }
        if hasShrunk { cl_release_memory() }
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
    /// Places are given up where they spare a smaller part than this, and taken again where they would spare a larger one.
    private static let leastWorth = 0.25
    private static let enoughWorth = 0.5
    /// Of so many places one is left.
    private static let shrinking = 8
    /// Uses, times the places, after which a shard is idle; over as many what places are worth is averaged.
    private static let idleUses = 4

    fileprivate var keptCount: Int { slots.count - briefCount }

    /// A shard is used, and has to be opened unless that is spared. While there are free places that tells nothing.
    fileprivate mutating func noteUse(isSpared: Bool, _ capacity: Int) {
        let places = places(of: capacity)
        guard keptCount >= places else { return }
        let spared = isSpared ? Double(capacity) / Double(places) : 0
        worth += (spared - worth) / Double(Self.idleUses * capacity)
        if worth < Self.leastWorth { isShrunk = true }
        if worth > Self.enoughWorth { isShrunk = false }
    }

    fileprivate func places(of capacity: Int) -> Int {
        isShrunk ? max(1, capacity / Self.shrinking) : capacity
    }

    /// Takes out a slot that many others were used since; nil where there is none.
    fileprivate mutating func takeIdle(_ capacity: Int) -> ShardPool.Slot? {
        let limit = UInt64(Self.idleUses * capacity)
        // All places are looked at only where one may be idle.
        guard clock - oldestUse > limit, let oldest = leastRecentlyUsed else { return nil }
        oldestUse = oldest.value.lastUse
        guard clock - oldestUse > limit else { return nil }
        slots[oldest.key] = nil
        return oldest.value
    }

    fileprivate mutating func shrink() -> ShardPool.Slot? {
        isShrinking = true
        return takeLeastRecentlyUsed()
    }

    /// Whether the last place that was to be given up was: true once.
    fileprivate mutating func hasShrunk(from capacity: Int) -> Bool {
        guard isShrinking, keptCount <= places(of: capacity) else { return false }
        isShrinking = false
        return true
    }

    private var leastRecentlyUsed: Dictionary<TenantID, ShardPool.Slot>.Element? {
        slots.lazy.filter { $0.value.users == 0 && !$0.value.isBrief }.min { $0.value.lastUse < $1.value.lastUse }
    }

    /// Takes out the slot nobody uses that was not used for longest; nil where all are in use.
    fileprivate mutating func takeLeastRecentlyUsed() -> ShardPool.Slot? {
        guard let oldest = leastRecentlyUsed else { return nil }
        slots[oldest.key] = nil
        return oldest.value
    }
}

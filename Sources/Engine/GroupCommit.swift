import CLinux
import Ledger
import Locks
import Storage
import Synchronization

/// The point of no return: gathers the records of all tenants while the last batch syncs, appends them as one batch with
/// one sync, and then tells everybody who waited.
///
/// Lock order: a partition's lock is taken before this one's, never after.
///
/// `@unchecked Sendable`: everything mutable is guarded by `monitor`, but for `spare`, which only the commit thread touches.
/// `@exclusivity(unchecked)`: as in `Partition`.
final class GroupCommit: @unchecked Sendable {
    /// What keeps the journal from taking records at the moment.
    private struct Obstacles: OptionSet {
        let rawValue: UInt8
        /// As much is gathered, or as many wait, as may.
        static let full = Obstacles(rawValue: 1)
        /// The last write failed, and no empty batch went through since.
        static let failing = Obstacles(rawValue: 2)
        /// The engine stops: partitions begin nothing new.
        static let stopping = Obstacles(rawValue: 4)
        /// The disk has had a batch for so long that what is taken now would be answered too late.
        static let stalled = Obstacles(rawValue: 8)
        /// Half of what may is gathered: no tenant may take what is left.
        static let crowded = Obstacles(rawValue: 16)
    }

    /// Batches gather for less than the kernel would make a wait last by itself.
    private static let timerSlackNs: Int64 = 1_000

    private let journal: any Journal
    private let limits: EngineLimits
    private let clock: any Clock
    private let monitor = Monitor()

    @exclusivity(unchecked) private var gathering: JournalBatch
    /// Of what gathers: the position of the first record, how many there are, and their bytes in the batch.
    @exclusivity(unchecked) private var gatheredFirst: UInt64
    @exclusivity(unchecked) private var gatheredCount = 0
    @exclusivity(unchecked) private var gatheredBytes = 0
    @exclusivity(unchecked) private var gatheringWaiters = Waiters()
    @exclusivity(unchecked) private var inFlightWaiters = Waiters()
    @exclusivity(unchecked) private var inFlightLast: UInt64
    @exclusivity(unchecked) private var next: UInt64
    private var failure: StorageError?
    /// When a journal that fails is tried again, where nobody waits for that.
    private var probeDueMs = 0
    /// When the batch that is being synced was given to the disk; nil while none is.
    private var appendBeganMs: Int?
    /// No partition is inside a job any more, so nothing will be gathered.
    private var isEnding = false
    private var spare: JournalBatch
    private var pace: CommitPace
    /// Records that wake the commit thread.
    @exclusivity(unchecked) private var wakingCount = 1
    private let arrivals = Arrivals()

    /// Raw `Obstacles`. Written under `monitor`, read for each job without. A job reads it under its partition's lock, and
    /// `rollBack` and `Engine.stop` take each of those locks after an obstacle was set: a job that did not see it is over by then.
    private let obstacles = Atomic<UInt8>(0)
    /// Written under `monitor`.
    private let durable: Atomic<UInt64>

    /// Called on the commit thread after a batch failed, before anybody is told: every state that saw a record beyond the
    /// durable position must go, then `discardGathered` is to be called while the partitions are still locked.
    var rollBack: (@Sendable (_ durable: UInt64, _ discardGathered: () -> Void) -> Void)?
    var healthChanged: (@Sendable (StorageError?) -> Void)?

    init(journal: any Journal, limits: EngineLimits, clock: any Clock) {
        self.journal = journal
        self.limits = limits
        self.clock = clock
        pace = CommitPace(limits)
        let position = journal.durablePosition
        durable = Atomic(position)
        inFlightLast = position
        next = position + 1
        gathering = JournalBatch(first: position + 1)
        gatheredFirst = position + 1
        spare = JournalBatch(first: position + 1)
    }

    var durablePosition: UInt64 { durable.load(ordering: .acquiring) }

    // MARK: - What may begin

    private var current: Obstacles { Obstacles(rawValue: obstacles.load(ordering: .relaxed)) }

    /// Why a record cannot be taken at the moment; nil where it can.
    var whyNotWrite: EngineError? {
        let current = current.subtracting(.crowded)
        return current.isEmpty ? nil : reason(current)
    }

    /// The same for one tenant: of what may be gathered it has as much as it leaves free. Its partition is locked.
    @inline(__always)
    func whyNotWrite(_ book: Book) -> EngineError? {
        let current = current
        return current.isEmpty ? nil : reason(current, for: book)
    }

    private func reason(_ current: Obstacles, for book: Book) -> EngineError? {
        guard current == .crowded else { return reason(current.subtracting(.crowded)) }
        let hasItsShare = monitor.locked {
            gatheredBytes + book.gatheredBytes(inBatch: gatheredFirst) > limits.maxGatheredBytes
        }
        return hasItsShare ? .overloaded(.batchShare) : nil
    }

    /// Why a call that writes nothing, and looks at what is journaled up to there, cannot be taken; nil where it can. A journal
    /// that fails keeps nobody from reading, and neither does one that is behind where it has what is read.
    func whyNotLook(at position: UInt64) -> EngineError? {
        let current = current.subtracting([.failing, .crowded])
        if current.isEmpty || !current.contains(.stopping) && position <= durablePosition { return nil }
        return reason(current)
    }

    /// Whether everything up to `position` is durable, and may be told.
    func hasSettled(_ position: UInt64) -> Bool { !current.contains(.stopping) && position <= durablePosition }

    /// Why a look-up in a shard was not taken.
    func whyNot(_ shortage: Shortage) -> EngineError {
        current.contains(.stopping) ? .stopping : .overloaded(shortage)
    }

    var isStopping: Bool { current.contains(.stopping) }

    private func reason(_ current: Obstacles) -> EngineError {
        if current.contains(.stopping) { return .stopping }
        if current.contains(.failing), let failure = monitor.locked({ failure }) { return .failed(failure) }
        // Or the journal went on while this was being found out.
        return .overloaded(current.contains(.stalled) ? .stall : .batch)
    }

    /// The lock is held.
    private func set(_ obstacle: Obstacles, _ isThere: Bool) {
        var changed = current
        if isThere { changed.insert(obstacle) } else { changed.remove(obstacle) }
        if changed != current { obstacles.store(changed.rawValue, ordering: .relaxed) }
    }

    /// The lock is held.
    private func noteFullness() {
        set(
            .full,
            gatheredBytes >= limits.maxGatheredBytes
                || gatheringWaiters.count + inFlightWaiters.count >= limits.maxWaitingCalls)
        set(.crowded, gatheredBytes >= limits.maxGatheredBytes / 2)
    }

    /// Looks whether the disk still has what it was given long ago. Now and then, on the timer's thread.
    func noteStall() {
        let now = clock.monotonicMs
        monitor.locked {
            guard let appendBeganMs, now - appendBeganMs >= limits.maxAppendMs else { return }
            set(.stalled, true)
        }
    }

    /// The disk has done something. The lock is held.
    private func noteAppended() {
        appendBeganMs = nil
        set(.stalled, false)
    }

    // MARK: - Gathering

    /// Journals the record that `encode` appends, which the book's shard then lacks, and tells `waiter` when it is durable. The
    /// caller holds the tenant's partition, so that a tenant's records stay in order.
    /// - Returns: how many bytes the record takes among those that the shard lacks.
    @inline(__always)
    func submit(of book: Book, _ waiter: (any DurabilityWaiter)?, record encode: (inout [UInt8]) -> Void) -> Int {
        monitor.lock()
        defer { monitor.unlock() }
        let position = next
        var pendingBytes = 0
        gathering.add(tenant: book.tenant, record: encode) { record in
            pendingBytes = book.pending.append(record, at: position)
        }
        let byteCount = gathering.byteCount
        book.gathered(byteCount - gatheredBytes, inBatch: gatheredFirst)
        book.lastPosition = position
        gatheredBytes = byteCount
        gatheredCount += 1
        next = position + 1
        if let waiter { gatheringWaiters.append(waiter) }
        noteFullness()
        if gatheredCount == wakingCount { monitor.wake() }
        return pendingBytes
    }

    /// Tells `waiter` when everything up to `position` is durable; returns false where it is already and nobody will be told.
    func wait(for position: UInt64, _ waiter: any DurabilityWaiter) -> Bool {
        if position <= durablePosition { return false }
        monitor.lock()
        defer { monitor.unlock() }
        if position <= durablePosition { return false }
        if position <= inFlightLast {
            inFlightWaiters.append(waiter)
        } else {
            gatheringWaiters.append(waiter)
        }
        noteFullness()
        return true
    }

    /// Somebody begins to bring what has arrived.
    func arrivalsBegan() { arrivals.began() }

    /// Somebody has brought all that has arrived.
    func arrivalsPaused() {
        guard arrivals.paused() else { return }
        monitor.locked {
            if gatheredCount > 0 { monitor.wake() }
        }
    }

    // MARK: - Ending

    func refuseNew() {
        monitor.locked { set(.stopping, true) }
    }

    /// Lets the commit thread end after what was gathered. No partition may journal any more.
    func stop() {
        monitor.locked {
            isEnding = true
            monitor.wakeAll()
        }
    }

    /// Forgets who waits.
    func abandon() {
        monitor.locked {
            gatheringWaiters = Waiters()
            inFlightWaiters = Waiters()
        }
    }

    // MARK: - Committing

    /// The commit thread: one batch after the other until `stop`.
    func run() {
        cl_timer_slack(Self.timerSlackNs)
        cl_thread_short_turns()
        while turn(waits: true) {}
    }

    /// Commits one batch, if there is something to commit.
    /// - Parameter waits: Until there is, or `stop`.
    /// - Returns: false where there was nothing.
    func turn(waits: Bool) -> Bool {
        guard let batch = nextBatch(waits: waits) else { return false }
        do throws(StorageError) {
            try journal.append(batch)
            let waiters = publish(durableThrough: batch.last)
            spare = batch
            waiters.tell(nil)
        } catch {
            spare = batch
            fail(error)
        }
        return true
    }

    /// Waits for records. While the journal is failing there are none: it is tried with an empty batch every now and then.
    private func nextBatch(waits: Bool) -> JournalBatch? {
        monitor.lock()
        defer { monitor.unlock() }
        if waits { gatherMore() }
        while gatheredCount == 0 {
            if isEnding { return nil }
            if failure != nil {
                if waits { monitor.wait(milliseconds: limits.probeIntervalMs) }
                guard waits || clock.monotonicMs >= probeDueMs else { return nil }
                break
            }
            if !waits { return nil }
            monitor.wait()
            guard gatheredCount > 0 else { continue }
            pace.begin(nowNs: monotonicNs())
            gatherMore()
        }
        var batch = spare
        spare = JournalBatch(first: next)
        batch.removeAll(first: next)
        swap(&batch, &gathering)
        beginGathering()
        swap(&inFlightWaiters, &gatheringWaiters)
        inFlightLast = next - 1
        appendBeganMs = clock.monotonicMs
        noteFullness()
        return batch
    }

    /// What gathers is empty. The lock is held.
    private func beginGathering() {
        gatheredFirst = next
        gatheredCount = 0
        gatheredBytes = 0
    }

    /// Waits until what gathers is to go to the disk. The lock is held, and let go of meanwhile.
    private func gatherMore() {
        guard pace.awaited > 1 else { return }
        wakingCount = pace.awaited
        arrivals.awaitPause(true)
        while !isEnding,
            let dueNs = pace.dueNs(gathered: gatheredCount, isBusy: arrivals.areBusy, nowNs: monotonicNs())
        {
            monitor.wait(untilNs: dueNs)
        }
        arrivals.awaitPause(false)
        wakingCount = 1
    }

    private func publish(durableThrough position: UInt64) -> Waiters {
        monitor.lock()
        durable.store(position, ordering: .releasing)
        let waiters = inFlightWaiters
        inFlightWaiters = Waiters()
        pace.told(
            waiters.count, gathered: gatheringWaiters.count, pauses: arrivals.pauses, nowNs: monotonicNs())
        let wasFailing = failure != nil
        failure = nil
        set(.failing, false)
        noteAppended()
        noteFullness()
        monitor.unlock()
        if wasFailing { healthChanged?(nil) }
        return waiters
    }

    private func fail(_ error: StorageError) {
        var waiters = Waiters()
        let isNew = monitor.locked {
            let isNew = failure == nil
            failure = error
            noteAppended()
            probeDueMs = clock.monotonicMs + limits.probeIntervalMs
            set(.failing, true)
            return isNew
        }
        if isNew { healthChanged?(error) }
        rollBack?(durablePosition) {
            monitor.locked {
                waiters = inFlightWaiters
                waiters.append(contentsOf: gatheringWaiters)
                inFlightWaiters = Waiters()
                gatheringWaiters = Waiters()
                inFlightLast = durablePosition
                next = durablePosition + 1
                gathering.removeAll(first: next)
                beginGathering()
                noteFullness()
            }
        }
        waiters.tell(.failed(error))
    }
}

extension EngineError {
    fileprivate static func failed(_ error: StorageError) -> EngineError {
        .unavailable("the journal cannot be written: \(error)")
    }
}

import Ledger
import Storage

/// The point of no return: gathers the records of all tenants while the last batch syncs, appends them as one batch with
/// one sync, and then tells everybody who waited.
///
/// Lock order: a partition's lock is taken before this one's, never after.
///
/// `@unchecked Sendable`: everything mutable is guarded by `monitor`, but for `spare`, which only the commit thread touches.
final class GroupCommit: @unchecked Sendable {
    private let journal: any Journal
    private let limits: EngineLimits
    private let monitor = Monitor()

    private var gathering: JournalBatch
    private var gatheringWaiters: [Waiter] = []
    private var inFlightWaiters: [Waiter] = []
    private var inFlightLast: UInt64
    private var durable: UInt64
    private var next: UInt64
    /// Set first: partitions begin nothing new. Then, when no partition is inside a job any more, `isEnding`.
    private var isRefusing = false
    private var isEnding = false
    private var failure: StorageError?
    private var spare: JournalBatch

    /// Called on the commit thread after a batch failed, before anybody is told: every state that saw a record beyond the
    /// durable position must go, then `discardGathered` is to be called while the partitions are still locked.
    var rollBack: (@Sendable (_ durable: UInt64, _ discardGathered: () -> Void) -> Void)?
    var healthChanged: (@Sendable (StorageError?) -> Void)?

    init(journal: any Journal, limits: EngineLimits) {
        self.journal = journal
        self.limits = limits
        durable = journal.durablePosition
        inFlightLast = durable
        next = durable + 1
        gathering = JournalBatch(first: durable + 1)
        spare = JournalBatch(first: durable + 1)
    }

    var durablePosition: UInt64 { monitor.locked { durable } }

    var hasRoom: Bool { monitor.locked { gathering.byteCount < limits.maxGatheredBytes } }

    var isAccepting: Bool { monitor.locked { !isRefusing } }

    /// Journals one record and tells `waiter` when it is durable. The caller holds the tenant's partition, so that a tenant's records stay in order.
    func submit(_ tenant: TenantID, _ entries: [Entry], _ waiter: Waiter?) -> UInt64 {
        monitor.lock()
        defer { monitor.unlock() }
        let position = gathering.add(tenant: tenant) { EntryCodec.encodeRecord(entries, into: &$0) }
        assert(position == next, "records are numbered without a gap")
        next = position + 1
        if let waiter { gatheringWaiters.append(waiter) }
        if gathering.count == 1 { monitor.wake() }
        return position
    }

    /// Tells `waiter` when everything up to `position` is durable; returns false where it is already and nobody will be told.
    func wait(for position: UInt64, _ waiter: Waiter) -> Bool {
        monitor.lock()
        defer { monitor.unlock() }
        if position <= durable { return false }
        if position <= inFlightLast {
            inFlightWaiters.append(waiter)
        } else {
            gatheringWaiters.append(waiter)
        }
        return true
    }

    /// The commit thread: one batch after the other until `stop`.
    func run() {
        while let batch = nextBatch() {
            do throws(StorageError) {
                try journal.append(batch)
                let waiters = publish(durableThrough: batch.first + UInt64(batch.count) - 1)
                spare = batch
                waiters.tell(nil)
            } catch {
                spare = batch
                fail(error)
            }
        }
    }

    func refuseNew() {
        monitor.locked { isRefusing = true }
    }

    /// Lets the commit thread end after what was gathered. No partition may journal any more.
    func stop() {
        monitor.locked {
            isEnding = true
            monitor.wakeAll()
        }
    }

    /// Waits for records; while the journal is failing, gives up after a moment so that it is tried with an empty batch.
    private func nextBatch() -> JournalBatch? {
        monitor.lock()
        defer { monitor.unlock() }
        while gathering.count == 0 {
            if isEnding { return nil }
            if failure != nil {
                monitor.wait(milliseconds: limits.probeIntervalMs)
                break
            }
            monitor.wait()
        }
        var batch = spare
        spare = JournalBatch(first: next)
        batch.removeAll(first: next)
        swap(&batch, &gathering)
        swap(&inFlightWaiters, &gatheringWaiters)
        inFlightLast = next - 1
        return batch
    }

    private func publish(durableThrough position: UInt64) -> [Waiter] {
        monitor.lock()
        durable = position
        let waiters = inFlightWaiters
        inFlightWaiters = []
        let wasFailing = failure != nil
        failure = nil
        monitor.unlock()
        if wasFailing { healthChanged?(nil) }
        return waiters
    }

    private func fail(_ error: StorageError) {
        var waiters: [Waiter] = []
        let isNew = monitor.locked {
            let isNew = failure == nil
            failure = error
            return isNew
        }
        if isNew { healthChanged?(error) }
        rollBack?(monitor.locked { durable }) {
            monitor.locked {
                waiters = inFlightWaiters + gatheringWaiters
                inFlightWaiters = []
                gatheringWaiters = []
                inFlightLast = durable
                next = durable + 1
                gathering.removeAll(first: next)
            }
        }
        waiters.tell(.unavailable("the journal cannot be written: \(error)"))
    }
}

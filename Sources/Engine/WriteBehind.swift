import Ledger
import Storage
import Synchronization

/// Takes what is durable in the journal to the tenants' shards, in bulk and later, and trims the journal behind it.
///
/// Lock order: a partition's lock is taken before this one's, never after.
///
/// `@unchecked Sendable`: the lines are guarded by `monitor`; what is said to belong to the flush thread is touched by it only.
final class WriteBehind: @unchecked Sendable {
    private unowned(unsafe) let core: EngineCore
    private let monitor = Monitor()
    /// Books by when they had something to flush, those that somebody waits for, and those whose last flush failed.
    private var usual = FlushLine()
    private var urgent = FlushLine()
    private var failed = FlushLine()
    private var isStopping = false
    /// When the flush thread gives up after `stop`. Read without the lock by that thread, after it was set for good.
    private var stopsByMs = Int.max
    private var hasEnded = false

    private let pendingRecords = Atomic(0)
    private let isJournalTooLong = Atomic(false)

    /// Tenants whose shard does not take what is pending. The flush thread's.
    private var failing: Set<TenantID> = []
    /// Flushes that failed since the last that did not; more than one tenant's trouble from the second on. The flush thread's.
    private var failuresInARow = 0
    private var pausedUntilMs = 0
    /// Tenants whose shard has records that a power cut could still take back, and the first of them. The flush thread's.
    private var unsynced: [TenantID: UInt64] = [:]
    /// Journal bytes at which trimming is tried next. The flush thread's.
    private var trimAtBytes: Int64

    init(core: EngineCore) {
        self.core = core
        trimAtBytes = core.limits.trimBytes
    }

    /// Why no step can be taken at the moment; nil where one can.
    var whyNotWrite: EngineError? {
        if pendingCount >= core.limits.maxPendingRecords { return .overloaded("the shards are behind; try again") }
        if isJournalTooLong.load(ordering: .relaxed) { return .overloaded("the journal is full, as a shard fails") }
        return nil
    }

    var pendingCount: Int { pendingRecords.load(ordering: .relaxed) }

    /// A record was added to the book's pending ones; its partition is locked.
    func added(to book: Book) {
        pendingRecords.wrappingAdd(1, ordering: .relaxed)
        if !book.isQueuedForFlush {
            enqueue(book)
        } else if book.pending.count == core.limits.flushRecords {
            _ = hurry(book)
        }
    }

    func dropped(_ records: RecordRun) {
        pendingRecords.wrappingSubtract(records.count, ordering: .relaxed)
    }

    /// Somebody waits to read the shard, or much is pending. The partition is locked.
    /// - Returns: false where nothing is flushed any more.
    func hurry(_ book: Book) -> Bool {
        monitor.locked {
            if hasEnded { return false }
            if !book.isUrgent {
                book.isUrgent = true
                urgent.append(book, dueMs: monotonicMs())
                monitor.wake()
            }
            return true
        }
    }

    /// The partition is locked.
    private func enqueue(_ book: Book) {
        book.isQueuedForFlush = true
        monitor.locked {
            let isFirst = usual.nextDueMs == nil
            usual.append(book, dueMs: monotonicMs() + core.limits.flushIntervalMs)
            if isFirst { monitor.wake() }
        }
    }

    /// Ends the flush thread once everything durable is in the shards, or cannot be written, or the time for it is over:
    /// the journal keeps what the shards lack.
    func stop() {
        monitor.locked {
            isStopping = true
            stopsByMs = monotonicMs() + core.limits.maxStopFlushMs
            monitor.wakeAll()
        }
    }

    /// The flush thread.
    func run() {
        while let (book, isUrgent) = next() {
            flush(book, isUrgent: isUrgent)
            trimIfLong()
        }
        makeDurable(all: true)
        monitor.locked { hasEnded = true }
        for partition in core.partitions {
            for waiter in partition.takeFlushWaiters() { waiter.body(.stopping) }
        }
    }

    // MARK: - Choosing

    private func next() -> (Book, isUrgent: Bool)? {
        monitor.lock()
        defer { monitor.unlock() }
        while true {
            // A disk that takes nothing must not hold up the end: the journal keeps what the shards lack.
            if isStopping, failuresInARow > 1 || monotonicMs() >= stopsByMs { return nil }
            let due = [usual.nextDueMs, urgent.nextDueMs, failed.nextDueMs].compactMap { $0 }.min()
            guard let due else {
                if isStopping { return nil }
                monitor.wait()
                continue
            }
            let wait = max(due, pausedUntilMs) - monotonicMs()
            if wait > 0, !isStopping {
                monitor.wait(milliseconds: wait)
                continue
            }
            if urgent.nextDueMs == due { return (urgent.removeFirst(), true) }
            return (usual.nextDueMs == due ? usual.removeFirst() : failed.removeFirst(), false)
        }
    }

    /// The partition is locked.
    private func enqueueAgain(_ book: Book, hasFailed: Bool) {
        guard !book.pending.isEmpty, !book.isQueuedForFlush else { return }
        if !hasFailed {
            enqueue(book)
            if book.pending.count >= core.limits.flushRecords { _ = hurry(book) }
        } else if !monitor.locked({ isStopping }) {
            book.isQueuedForFlush = true
            monitor.locked { failed.append(book, dueMs: monotonicMs() + core.limits.probeIntervalMs) }
        }
    }

    // MARK: - Flushing

    private func flush(_ book: Book, isUrgent: Bool) {
        let partition = book.partition
        partition.monitor.lock()
        if isUrgent { book.isUrgent = false } else { book.isQueuedForFlush = false }
        // A book that is being loaded must find its shard and its pending records as they are.
        guard book.phase != .loading,
            book.takePending(
                through: core.groupCommit.durablePosition, maxRecords: core.limits.maxRecordsPerFlush)
        else {
            enqueueAgain(book, hasFailed: false)
            partition.forgetIfIdle(book)
            partition.monitor.unlock()
            return
        }
        let records = book.flushing
        let known = book.flushedPosition
        partition.monitor.unlock()

        let result = Result { () throws(StorageError) in
            try write(records, of: book.tenant, heldThrough: known)
        }

        partition.monitor.lock()
        var failure: StorageError?
        let waiters: [FlushWaiter]
        switch result {
        case .success(let held):
            noteFlushed(book, held)
            waiters = book.takeFlushWaiters(through: held.position)
        case .failure(let error):
            failure = error
            book.putPendingBack()
            waiters = book.takeFlushWaiters(through: .max)
        }
        enqueueAgain(book, hasFailed: failure != nil)
        let after = partition.flushEnded(book)
        partition.forgetIfIdle(book)
        partition.monitor.unlock()
        after?()
        let error = failure.map { EngineError.unavailable("the tenant's shard cannot be written: \($0)") }
        for waiter in waiters { waiter.body(error) }
        note(failure, of: book.tenant)
    }

    /// Gives the shard those of the records that it lacks: after a restart it may hold some of them, or all.
    ///
    /// - Returns: what it then holds, which may be far beyond these records.
    private func write(
        _ records: RecordRun, of tenant: TenantID, heldThrough known: UInt64?
    ) throws(StorageError) -> ShardExtent {
        if let known, known < records.firstPosition { return try core.shards.apply(tenant, records) }
        let held = try core.extent(of: tenant)
        var records = records
        let missing = records.split(through: held.position)
        return missing.isEmpty ? held : try core.shards.apply(tenant, missing)
    }

    /// The shard has what was flushing. The partition is locked.
    private func noteFlushed(_ book: Book, _ held: ShardExtent) {
        if unsynced[book.tenant] == nil { unsynced[book.tenant] = book.flushing.firstPosition }
        dropped(book.flushing)
        book.flushing = RecordRun()
        book.flushedPosition = max(book.flushedPosition ?? 0, held.position)
        book.flushedSequence = max(book.flushedSequence, held.sequence)
        if book.phase == .awake {
            book.state!.ledger.forget(flushedThrough: book.forgettableSequence, keep: core.limits.rememberedSteps)
        }
    }

    /// Says once when shards stop taking writes and once when all take them again. Where one after the other fails it is
    /// the disk, which is left alone for a moment.
    private func note(_ failure: StorageError?, of tenant: TenantID) {
        if let failure {
            if failing.isEmpty { core.shardsHealth(failure) }
            failing.insert(tenant)
            core.report(failure, of: tenant)
            failuresInARow += 1
            if failuresInARow > 1 { pausedUntilMs = monotonicMs() + core.limits.probeIntervalMs }
        } else {
            failuresInARow = 0
            if failing.remove(tenant) != nil, failing.isEmpty { core.shardsHealth(nil) }
        }
    }

    // MARK: - Trimming

    private func trimIfLong() {
        let limits = core.limits
        let wasTooLong = isJournalTooLong.load(ordering: .relaxed)
        guard wasTooLong || core.journal.byteCount > trimAtBytes else { return }
        makeDurable(all: false)
        let left = core.journal.byteCount
        // Where little could be trimmed, trying again after each flush would cost more than it gives.
        trimAtBytes = max(limits.trimBytes, left + limits.trimBytes / 4)
        isJournalTooLong.store(left > limits.maxJournalBytes, ordering: .relaxed)
    }

    /// Makes shards durable, the ones that hold the oldest records or all, and trims the journal behind them.
    private func makeDurable(all: Bool) {
        let durable = core.groupCommit.durablePosition
        let first = core.journal.firstPosition
        let half = first + (durable - min(durable, first)) / 2
        let chosen = unsynced.filter { all || $0.value <= half }.keys
        let failures = core.shards.makeDurable(chosen)
        for tenant in chosen where failures[tenant] == nil { unsynced[tenant] = nil }
        for (tenant, error) in failures { core.report(error, of: tenant) }
        let kept = min(unsynced.values.min() ?? .max, core.firstPendingPosition() ?? .max)
        let trimmed = min(durable, kept - 1)
        do throws(StorageError) {
            try core.shards.willTrimJournal(through: trimmed)
            try core.journal.trim(through: trimmed)
        } catch {
            core.report(error, of: nil)
        }
    }
}

import CLinux
import Ledger
import Locks
import Storage
import Synchronization

/// Takes what is durable in the journal to the tenants' shards, in bulk and later, and trims the journal behind it.
///
/// Lock order: a partition's lock is taken before this one's, never after.
///
/// `@unchecked Sendable`: the lines are guarded by `monitor`; what is said to belong to the flush thread is touched by it only.
final class WriteBehind: @unchecked Sendable {
    unowned(unsafe) let core: EngineCore
    let monitor = Monitor()
    /// Books by when they had something to flush, those that gather more, those that somebody waits for, and those whose last
    /// flush failed.
    private var usual = FlushLine()
    private var gathering = FlushLine()
    private var urgent = FlushLine()
    private var failed = FlushLine()
    private var lastTicket: UInt64 = 0
    private var isStopping = false
    /// Short while a flush has time.
    private let turns = ShortTurns()
    /// When the flush thread gives up after `stop`. Read without the lock by that thread, after it was set for good.
    private var stopsByMs = Int.max
    var hasEnded = false

    private let pendingRecords = Atomic(0)
    private let pendingBytes = Atomic(0)
    /// What may be pending: the limits' bounds, or more where more was in the journal at the start.
    private let allowedRecords: Atomic<Int>
    private let allowedBytes: Atomic<Int>
    private let catchesUp = Atomic(false)
    /// Books that have a place in a line.
    private let waitingBooks = Atomic(0)
    /// The journal should become shorter.
    let isJournalLong = Atomic(false)
    let isJournalTooLong = Atomic(false)

    /// Tenants whose shard does not take what is pending. The flush thread's.
    private var failing: Set<TenantID> = []
    /// Flushes that failed since the last that did not; more than one tenant's trouble from the second on. The flush thread's.
    private var failuresInARow = 0
    private var pausedUntilMs = 0
    /// Tenants whose shard has records that a power cut could still take back, and the first of them. The flush thread's.
    var unsynced: [TenantID: UInt64] = [:]
    /// Bytes of the records that were flushed since `unsynced` was last emptied, and since memory was last given back. The flush
    /// thread's.
    var unsyncedBytes = 0
    private var unreleasedBytes = 0
    /// Journal bytes at which trimming is tried next. The flush thread's.
    var trimAtBytes: Int64

    init(core: EngineCore) {
        self.core = core
        trimAtBytes = core.limits.trimBytes
        allowedRecords = Atomic(core.limits.maxPendingRecords)
        allowedBytes = Atomic(core.limits.maxPendingBytes)
    }

    /// Why no step can be taken at the moment; nil where one can.
    var whyNotWrite: EngineError? {
        if pendingCount >= allowedRecords.load(ordering: .relaxed)
            || pendingBytes.load(ordering: .relaxed) >= allowedBytes.load(ordering: .relaxed)
        {
            return .overloaded(.pending)
        }
        if isJournalTooLong.load(ordering: .relaxed) { return .overloaded(.journal) }
        return nil
    }

    /// The same for one tenant: of what may be pending it has as much as it leaves free, so that others find room where one
    /// writes more than its shard takes. What was there at the start is held against nobody. The partition is locked.
    func whyNotWrite(_ book: Book) -> EngineError? {
        if isCatchingUp { return whyNotWrite }
        let count = pendingCount
        if count >= core.limits.maxPendingRecords / 2,
            count + book.pending.count + book.flushing.count > core.limits.maxPendingRecords
        {
            return whyNotWrite ?? .overloaded(.pendingShare)
        }
        let bytes = pendingBytes.load(ordering: .relaxed)
        if bytes >= core.limits.maxPendingBytes / 2,
            bytes + book.pending.byteCount + book.flushing.byteCount > core.limits.maxPendingBytes
        {
            return whyNotWrite ?? .overloaded(.pendingShare)
        }
        return whyNotWrite
    }

    /// Much was pending at the start, and still is.
    private var isCatchingUp: Bool { catchesUp.load(ordering: .relaxed) }

    var pendingCount: Int { pendingRecords.load(ordering: .relaxed) }

    /// A record of so many bytes was added to the book's pending ones; its partition is locked.
    func added(byteCount: Int, to book: Book) {
        pendingRecords.wrappingAdd(1, ordering: .relaxed)
        pendingBytes.wrappingAdd(byteCount, ordering: .relaxed)
        if !isLittlePending { turns.makeLong() }
        let limits = core.limits
        if book.ticket == 0 || book.isGathering && book.hasGathered(limits.gatherRecords) {
            enter(book, after: limits.flushIntervalMs, \.usual)
        } else if book.pending.count == limits.flushRecords {
            _ = goFirst(book, isAwaited: false)
        }
    }

    /// All that the journal has and the shards may lack was added. As much as that may be pending, and some more, until it is
    /// less: the steps of a tenant do not wait for what was there before the start.
    func hasRecovered() {
        catchesUp.store(true, ordering: .relaxed)
        allow(atMost: .max)
    }

    /// Lets so much be pending as may be, or else a quarter of that more than is, and no more than before.
    private func allow(atMost records: Int, _ bytes: Int = .max) {
        let limits = core.limits
        let (mostRecords, mostBytes) = (limits.maxPendingRecords, limits.maxPendingBytes)
        allowedRecords.store(max(mostRecords, min(records, pendingCount + mostRecords / 4)), ordering: .relaxed)
        allowedBytes.store(
            max(mostBytes, min(bytes, pendingBytes.load(ordering: .relaxed) + mostBytes / 4)), ordering: .relaxed)
        if pendingCount <= mostRecords / 4, pendingBytes.load(ordering: .relaxed) <= mostBytes / 4 {
            catchesUp.store(false, ordering: .relaxed)
        }
    }

    func dropped(_ records: RecordRun) {
        pendingRecords.wrappingSubtract(records.count, ordering: .relaxed)
        pendingBytes.wrappingSubtract(records.byteCount, ordering: .relaxed)
    }

    /// Somebody waits to read the shard. The partition is locked.
    /// - Returns: false where nothing is flushed any more.
    func hurry(_ book: Book) -> Bool { goFirst(book, isAwaited: true) }

    /// Somebody waits, or much is pending. The partition is locked.
    /// - Returns: false where nothing is flushed any more.
    private func goFirst(_ book: Book, isAwaited: Bool) -> Bool {
        monitor.locked {
            if hasEnded { return false }
            if isAwaited { turns.makeLong() }
            if !book.isUrgent {
                book.isUrgent = true
                urgent.append(FlushLine.Place(book: book, ticket: 0, dueMs: core.clock.monotonicMs))
                monitor.wake()
            }
            return true
        }
    }

    /// Gives the book a place in a line, and with it a new ticket: the place that it had means nothing any more. The partition is
    /// locked.
    private func enter(_ book: Book, after delayMs: Int, _ line: ReferenceWritableKeyPath<WriteBehind, FlushLine>) {
        if book.ticket == 0 { waitingBooks.wrappingAdd(1, ordering: .relaxed) }
        book.isGathering = line == \.gathering
        monitor.locked {
            lastTicket += 1
            book.ticket = lastTicket
            let isFirst = self[keyPath: line].nextDueMs == nil
            self[keyPath: line].append(
                FlushLine.Place(book: book, ticket: lastTicket, dueMs: core.clock.monotonicMs + delayMs))
            if isFirst { monitor.wake() }
        }
    }

    /// The partition is locked.
    private func leave(_ book: Book) {
        guard book.ticket != 0 else { return }
        book.ticket = 0
        book.isGathering = false
        waitingBooks.wrappingSubtract(1, ordering: .relaxed)
    }

    /// Ends the flush thread once everything durable is in the shards, or cannot be written, or the time for it is over:
    /// the journal keeps what the shards lack.
    func stop() {
        monitor.locked {
            isStopping = true
            turns.makeLong()
            stopsByMs = core.clock.monotonicMs + core.limits.maxStopFlushMs
            monitor.wakeAll()
        }
    }

    private static let niceness: Int32 = 5

    /// Nobody waits for the flush thread but reports, and callers wait for the other threads. Its turns are as short as theirs:
    /// what it holds when one ends it has again soon.
    func giveWay() {
        cl_thread_nice(Self.niceness)
        cl_thread_short_turns()
    }

    /// Flushes until `stop`.
    func run() {
        while turn(waits: true) {}
        end()
    }

    /// Flushes one book, if one is due.
    /// - Parameter waits: Until one is due, or nothing is flushed any more.
    /// - Returns: false where nothing was due.
    func turn(waits: Bool) -> Bool {
        guard let place = next(waits: waits) else { return false }
        visit(place)
        trimIfLong()
        return true
    }

    // MARK: - Choosing

    /// So much is pending, or the journal is so long, that nobody gathers any longer.
    private var isPressed: Bool {
        pendingBytes.load(ordering: .relaxed) >= core.limits.maxPendingBytes / 2
            || pendingCount >= core.limits.maxPendingRecords / 2 || isJournalLong.load(ordering: .relaxed)
    }

    private var isLittlePending: Bool {
        pendingCount < core.limits.patientRecords
            && pendingBytes.load(ordering: .relaxed) < core.limits.patientBytes
    }

    private func next(waits: Bool) -> FlushLine.Place? {
        monitor.lock()
        defer { monitor.unlock() }
        while true {
            // A disk that takes nothing must not hold up the end: the journal keeps what the shards lack.
            if isStopping, failuresInARow > 1 || core.clock.monotonicMs >= stopsByMs { return nil }
            let isHurried = isStopping || isPressed
            let gathered = gathering.nextDueMs.map { isHurried ? 0 : $0 }
            let due = [usual.nextDueMs, urgent.nextDueMs, failed.nextDueMs, gathered].compactMap { $0 }.min()
            guard let due else {
                if isStopping || !waits { return nil }
                if unreleasedBytes >= core.limits.releasedBytes { releaseMemory() } else { monitor.wait() }
                continue
            }
            let wait = max(due, pausedUntilMs) - core.clock.monotonicMs
            if wait > 0, !isStopping {
                if !waits { return nil }
                monitor.wait(milliseconds: min(wait, core.limits.flushIntervalMs))
                continue
            }
            if let place = urgent.popFirst() { return place }
            if due == gathered { return gathering.popFirst() }
            return usual.nextDueMs == due ? usual.popFirst() : failed.popFirst()
        }
    }

    /// Gives back what the records and the steps took that memory holds no more: freed, it would stay with the process. Nothing
    /// is left to flush, so few wait for memory meanwhile. The lock is held, and is again afterwards.
    private func releaseMemory() {
        unreleasedBytes = 0
        monitor.unlock()
        cl_release_memory()
        monitor.lock()
    }

    /// The partition is locked.
    private func enterAgain(_ book: Book, hasFailed: Bool) {
        guard !book.pending.isEmpty, book.ticket == 0 else { return }
        if !hasFailed {
            enter(book, after: core.limits.flushIntervalMs, \.usual)
            if book.pending.count >= core.limits.flushRecords { _ = goFirst(book, isAwaited: false) }
        } else if !monitor.locked({ isStopping }) {
            enter(book, after: core.limits.probeIntervalMs, \.failed)
        }
    }

    /// Few records of one of many tenants wait for more: a transaction costs as much as many records. The partition is locked.
    private func mayGather(_ book: Book) -> Bool {
        let limits = core.limits
        return !book.isGathering && !book.hasGathered(limits.gatherRecords)
            && waitingBooks.load(ordering: .relaxed) > limits.impatientBooks && !isPressed
            && !monitor.locked({ isStopping })
    }

    // MARK: - Flushing

    private func visit(_ place: FlushLine.Place) {
        let book = place.book
        let partition = book.partition
        partition.monitor.lock()
        if place.ticket == 0 {
            book.isUrgent = false
        } else if place.ticket != book.ticket {
            partition.monitor.unlock()
            return
        } else if mayGather(book) {
            enter(book, after: core.limits.gatherMs, \.gathering)
            partition.monitor.unlock()
            return
        }
        leave(book)
        // A book that is being loaded must find its shard and its pending records as they are.
        guard book.phase != .loading,
            book.takePending(
                through: core.groupCommit.durablePosition, maxRecords: core.limits.maxRecordsPerFlush)
        else {
            enterAgain(book, hasFailed: false)
            partition.forgetIfIdle(book)
            partition.monitor.unlock()
            return
        }
        flush(book)
    }

    /// Takes short turns where nobody waits for a flush, and little is pending. The partition is locked.
    private func chooseTurns(for book: Book) {
        let hasTime =
            book.flushWaiters.isEmpty && isLittlePending && !isJournalLong.load(ordering: .relaxed) && !isCatchingUp
        monitor.locked {
            if hasTime, urgent.nextDueMs == nil, !isStopping { turns.take() } else { turns.makeLong() }
        }
    }

    /// Writes what is in `book.flushing`. The partition is locked, and is not afterwards.
    private func flush(_ book: Book) {
        let partition = book.partition
        let records = book.flushing
        let known = book.flushedPosition
        chooseTurns(for: book)
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
            // A commit that failed may be found done when the shard is opened again.
            book.flushedPosition = nil
            waiters = book.takeFlushWaiters(through: .max)
        }
        enterAgain(book, hasFailed: failure != nil)
        let after = partition.flushEnded(book)
        forgetSteps(of: book)
        partition.forgetIfIdle(book)
        partition.monitor.unlock()
        after?()
        let error = failure.map { EngineError.writing(book.tenant, $0) }
        for waiter in waiters { waiter.body(error) }
        note(failure, of: book.tenant)
    }

    /// Gives the shard those of the records that it lacks: after a restart it may hold some of them, or all.
    ///
    /// - Returns: what it then holds, which may be far beyond these records.
    private func write(
        _ records: RecordRun, of tenant: TenantID, heldThrough known: UInt64?
    ) throws(StorageError) -> ShardExtent {
        if let known, known < records.firstPosition { return try core.shards.apply(tenant, records, in: turns) }
        let held = try core.extent(of: tenant)
        var records = records
        let missing = records.split(through: held.position)
        return missing.isEmpty ? held : try core.shards.apply(tenant, missing, in: turns)
    }

    /// The shard has what was flushing. The partition is locked.
    private func noteFlushed(_ book: Book, _ held: ShardExtent) {
        if unsynced[book.tenant] == nil { unsynced[book.tenant] = book.flushing.firstPosition }
        dropped(book.flushing)
        unsyncedBytes += book.flushing.byteCount
        unreleasedBytes += book.flushing.byteCount
        if isCatchingUp {
            allow(atMost: allowedRecords.load(ordering: .relaxed), allowedBytes.load(ordering: .relaxed))
        }
        book.flushing = RecordRun()
        book.flushedPosition = max(book.flushedPosition ?? 0, held.position)
        book.flushedSequence = max(book.flushedSequence, held.sequence)
    }

    /// Lets memory forget what the shard holds now. In a book that goes on, its own steps do that, as they come
    /// (`Partition.journal`): the flush thread would take the lock from them each time anew, and what it frees lies in the memory
    /// of another thread than what they take. The partition is locked, and is again afterwards.
    private func forgetSteps(of book: Book) {
        let limits = core.limits
        let partition = book.partition
        let books = max(1, partition.awakeCount * core.partitions.count)
        book.keptSteps = min(limits.rememberedSteps, limits.rememberedStepsOfAll / books)
        while book.pending.count < limits.forgottenAtOnce, book.forget(atMost: limits.forgottenAtOnce) {
            partition.monitor.giveWay()
        }
    }

    /// Says once when shards stop taking writes and once when all take them again. Where one after the other fails it is
    /// the disk, which is left alone for a moment.
    private func note(_ failure: StorageError?, of tenant: TenantID) {
        if let failure {
            if failing.isEmpty { core.shardsHealth(failure) }
            failing.insert(tenant)
            core.report(failure, of: tenant)
            // A damaged shard says nothing of the disk.
            if !failure.isCorruption { failuresInARow += 1 }
            if failuresInARow > 1, !failure.isCorruption {
                pausedUntilMs = core.clock.monotonicMs + core.limits.probeIntervalMs
            }
        } else {
            failuresInARow = 0
            if failing.remove(tenant) != nil, failing.isEmpty { core.shardsHealth(nil) }
        }
    }
}

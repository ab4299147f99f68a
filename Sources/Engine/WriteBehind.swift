import Ledger
import Storage

/// Takes what is durable in the journal to the tenants' shards, in bulk and later, and trims the journal behind it.
///
/// Lock order: a partition's lock is taken before this one's, never after.
///
/// `@unchecked Sendable`: the queues and counts are guarded by `monitor`; `unsynced` is touched by the flush thread only.
final class WriteBehind: @unchecked Sendable {
    private struct Queued {
        let book: Book
        let sinceMs: Int
    }

    private unowned let core: EngineCore
    private let monitor = Monitor()
    private var queue: [Queued] = []
    private var head = 0
    private var urgent: [Book] = []
    private var pendingRecords = 0
    private var isStopping = false
    private var failure: StorageError?
    /// Tenants whose shard has records that a power cut could still take back, and the first of them.
    private var unsynced: [TenantID: UInt64] = [:]

    init(core: EngineCore) {
        self.core = core
    }

    var hasRoom: Bool { monitor.locked { pendingRecords < core.limits.maxPendingRecords } }

    var pendingCount: Int { monitor.locked { pendingRecords } }

    /// A record was added to the book's pending ones; its partition is locked.
    func added(to book: Book, records: Int = 1) {
        monitor.lock()
        defer { monitor.unlock() }
        pendingRecords += records
        if !book.isQueuedForFlush {
            book.isQueuedForFlush = true
            queue.append(Queued(book: book, sinceMs: monotonicMs()))
            if queue.count - head == 1 { monitor.wake() }
        }
        if book.pending.count == core.limits.flushRecords {
            urgent.append(book)
            monitor.wake()
        }
    }

    func dropped(records: Int) {
        monitor.locked { pendingRecords -= records }
    }

    /// Somebody waits to read the shard.
    func hurry(_ book: Book) {
        monitor.locked {
            urgent.append(book)
            monitor.wake()
        }
    }

    /// Ends the flush thread once everything durable is in the shards, or cannot be written.
    func stop() {
        monitor.locked {
            isStopping = true
            monitor.wakeAll()
        }
    }

    /// The flush thread.
    func run() {
        while let (book, fromQueue) = next() {
            flush(book, fromQueue: fromQueue)
            trimIfLong()
        }
        _ = makeDurable(all: true)
    }

    // MARK: - Choosing

    private func next() -> (Book, fromQueue: Bool)? {
        monitor.lock()
        defer { monitor.unlock() }
        while true {
            // A disk that takes nothing must not hold up the end: the journal keeps what the shards lack.
            if isStopping, failure != nil { return nil }
            if let book = urgent.popLast() { return (book, false) }
            if head < queue.count {
                let wait = queue[head].sinceMs + core.limits.flushIntervalMs - monotonicMs()
                if wait <= 0 || isStopping { return (takeOldest(), true) }
                monitor.wait(milliseconds: wait)
            } else if isStopping {
                return nil
            } else {
                monitor.wait()
            }
        }
    }

    private func takeOldest() -> Book {
        let book = queue[head].book
        head += 1
        if head > 1_024, head * 2 > queue.count {
            queue.removeFirst(head)
            head = 0
        }
        return book
    }

    private func requeue(_ book: Book) {
        monitor.locked {
            book.isQueuedForFlush = true
            queue.append(Queued(book: book, sinceMs: monotonicMs()))
        }
    }

    // MARK: - Flushing

    private func flush(_ book: Book, fromQueue: Bool) {
        let partition = book.partition
        partition.monitor.lock()
        if fromQueue { book.isQueuedForFlush = false }
        let durable = core.groupCommit.durablePosition
        let ready = book.pending.prefix(core.limits.maxRecordsPerFlush).prefix { $0.position <= durable }
        // A book that is being loaded must find its shard and its pending records as they are.
        guard !ready.isEmpty, book.phase != .loading, !book.isFlushing else {
            if !book.pending.isEmpty, !book.isQueuedForFlush { requeue(book) }
            let waiters = ready.isEmpty ? takeWaiters(of: book) : []
            partition.forgetIfIdle(book)
            partition.monitor.unlock()
            for waiter in waiters { waiter.body(nil) }
            return
        }
        book.isFlushing = true
        let records = Array(ready)
        let known = book.flushedPosition
        partition.monitor.unlock()

        let result = Result { () throws(StorageError) in try write(records, of: book.tenant, heldThrough: known) }

        partition.monitor.lock()
        var waiters: [FlushWaiter] = []
        var error: EngineError?
        switch result {
        case .success:
            let through = records.last!.position
            book.pending.removeFirst(records.count)
            book.flushedPosition = through
            dropped(records: records.count)
            if book.recalls == 0, book.phase == .awake,
                let sequence = records.last(where: { $0.lastSequence > 0 })?.lastSequence
            {
                book.state!.ledger.forget(flushedThrough: sequence, keep: core.limits.rememberedSteps)
            }
            if unsynced[book.tenant] == nil { unsynced[book.tenant] = records[0].position }
            waiters = takeWaiters(of: book)
        case .failure(let failure):
            error = .unavailable("the tenant's shard cannot be written: \(failure)")
            waiters = book.flushWaiters
            book.flushWaiters = []
        }
        if !book.pending.isEmpty, !book.isQueuedForFlush { requeue(book) }
        let after = partition.flushEnded(book)
        partition.forgetIfIdle(book)
        partition.monitor.unlock()
        after?()
        for waiter in waiters { waiter.body(error) }
        note(result, of: book.tenant)
    }

    /// The waiters whose position the shard has reached. The partition is locked.
    private func takeWaiters(of book: Book) -> [FlushWaiter] {
        let reached = book.flushedPosition ?? 0
        let (done, still) = book.flushWaiters.partitioned { $0.position <= reached }
        book.flushWaiters = still
        return done
    }

    private func write(_ records: [PendingRecord], of tenant: TenantID, heldThrough known: UInt64?) throws(StorageError)
    {
        let held: UInt64
        if let known { held = known } else { held = try core.shards.position(tenant) ?? 0 }
        let entries = records.lazy.filter { $0.position > held }.flatMap(\.entries)
        guard let last = records.last, last.position > held else { return }
        try core.shards.apply(tenant, entries: Array(entries), through: last.position)
    }

    /// Says once when shards stop taking writes and once when they take them again, and waits a moment while they do not.
    private func note(_ result: Result<Void, StorageError>, of tenant: TenantID) {
        switch result {
        case .success:
            if failure != nil { core.shardsHealth(nil) }
            failure = nil
        case .failure(let error):
            if failure == nil { core.shardsHealth(error) }
            failure = error
            core.report(error, of: tenant)
            monitor.locked { if !isStopping { monitor.wait(milliseconds: core.limits.probeIntervalMs) } }
        }
    }

    // MARK: - Trimming

    private func trimIfLong() {
        guard core.journal.byteCount > core.limits.trimBytes else { return }
        _ = makeDurable(all: false)
    }

    /// Makes shards durable, the ones that hold the oldest records first, and trims the journal behind them.
    private func makeDurable(all: Bool) -> Bool {
        let durable = core.groupCommit.durablePosition
        let half = core.journal.firstPosition + (durable - min(durable, core.journal.firstPosition)) / 2
        var isWhole = true
        for (tenant, first) in unsynced where all || first <= half {
            do throws(StorageError) {
                try core.shards.makeDurable(tenant)
                unsynced[tenant] = nil
            } catch {
                core.report(error, of: tenant)
                isWhole = false
            }
        }
        let kept = min(unsynced.values.min() ?? .max, core.firstPendingPosition() ?? .max)
        let through = min(durable, kept - 1)
        do throws(StorageError) {
            try core.journal.trim(through: through)
        } catch {
            core.report(error, of: nil)
            isWhole = false
        }
        return isWhole
    }
}

extension PendingRecord {
    /// The sequence of its newest entry in the book, 0 where it has only a refusal.
    var lastSequence: UInt64 { entries.last { $0.sequence > 0 }?.sequence ?? 0 }
}

extension Array {
    fileprivate func partitioned(_ belongsFirst: (Element) -> Bool) -> ([Element], [Element]) {
        var first: [Element] = []
        var second: [Element] = []
        for element in self {
            if belongsFirst(element) { first.append(element) } else { second.append(element) }
        }
        return (first, second)
    }
}

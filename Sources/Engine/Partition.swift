import Ledger
import Locks
import Storage

/// A share of the tenants and the lock under which their states change.
///
/// A step runs whole under the lock: settle what is due, decide, evolve, hand the record to the journal. Nothing in here
/// waits for a disk; what needs one (loading a book, recalling an old step) goes to a reader thread and comes back.
///
/// `@unchecked Sendable`: everything mutable is guarded by `monitor`. What each step touches is `@exclusivity(unchecked)`: the
/// lock keeps accesses apart, and the check of each at run time costs more than the access.
final class Partition: @unchecked Sendable {
    /// Of the room for a record, 1,000 steps of some 130 bytes need half.
    private static let keptRecordBytes = 256 * 1024

    let monitor = Monitor()
    unowned(unsafe) let core: EngineCore
    @exclusivity(unchecked) private var books: [TenantID: Book] = [:]
    /// The awake books as a ring, for eviction by the clock algorithm.
    @exclusivity(unchecked) private var ring: [Book] = []
    private var hand = 0
    @exclusivity(unchecked) private var deadlines = DeadlineHeap()
    private let maxResident: Int
    /// What the steps of a job are encoded in, one after the other.
    @exclusivity(unchecked) private var recordWriter = RecordWriter()
    // What each step needs of the core, at hand.
    let groupCommit: GroupCommit
    let writeBehind: WriteBehind
    let clock: any Clock
    let rules: any BookRules

    init(core: EngineCore, maxResident: Int) {
        self.core = core
        groupCommit = core.groupCommit
        writeBehind = core.writeBehind
        clock = core.clock
        rules = core.rules
        self.maxResident = maxResident
    }

    /// Does the job now if the tenant's book is in memory, and otherwise once it is.
    func submit(_ job: Job, tenant: TenantID, hasWaited: Bool = false) {
        monitor.lock()
        let after = enter(job, book: book(tenant), hasWaited: hasWaited)
        monitor.unlock()
        after?()
    }

    /// Does the step, as `submit` does a job: most find their book in memory.
    func submit(_ command: Command, from seat: TenantSeat, for listener: any StepListener) {
        monitor.lock()
        let book = book(of: seat)
        let after =
            book.phase == .awake
            ? step(command, for: listener, on: book) : enter(.step(command, listener), book: book)
        monitor.unlock()
        after?()
    }

    private func book(of seat: TenantSeat) -> Book {
        if let book = seat.book, book.isKnown, book.partition === self { return book }
        let book = book(seat.tenant)
        seat.book = book
        return book
    }

    /// Shows `body` a tenant's book that can be looked at at once; false where something has to be waited for or done before,
    /// such as what is due.
    func look(at tenant: TenantID, _ body: (borrowing LedgerState, Instant) -> Void) -> Bool {
        monitor.lock()
        defer { monitor.unlock() }
        return books[tenant].map { look(at: $0, body) } ?? false
    }

    func look(from seat: TenantSeat, _ body: (borrowing LedgerState, Instant) -> Void) -> Bool {
        monitor.lock()
        defer { monitor.unlock() }
        return look(at: book(of: seat), body)
    }

    private func look(at book: Book, _ body: (borrowing LedgerState, Instant) -> Void) -> Bool {
        guard book.phase == .awake, groupCommit.hasSettled(book.lastPosition), let state = book.state else {
            return false
        }
        let now = max(clock.now(), state.ledger.lastAt)
        if let deadline = state.ledger.nextDeadline, deadline <= now { return false }
        book.wasUsed = true
        body(state.ledger, now)
        return true
    }

    /// The tenant's book, known from now on. The lock is held.
    func book(_ tenant: TenantID) -> Book {
        if let book = books[tenant] { return book }
        let book = Book(tenant: tenant, partition: self)
        books[tenant] = book
        book.isKnown = true
        return book
    }

    /// What to do after the lock was let go of.
    typealias After = () -> Void

    /// - Parameter hasWaited: Its caller may have given up meanwhile.
    func enter(_ job: Job, book: Book, hasWaited: Bool = false) -> After? {
        if hasWaited, job.caller?.hasGone == true { return drop(job, on: book) }
        // Also while the book is loaded: who waits for it would be before those that wait behind a look-up.
        if case .steps(let many) = job, many.waitForTurn() { return nil }
        if book.phase == .awake { return run(job, on: book) }
        if core.groupCommit.isStopping {
            forgetIfIdle(book)
            return fail([job], .stopping)
        }
        guard book.waiting.count < core.limits.maxWaitingJobs else {
            return fail([job], .overloaded(.book))
        }
        if case .steps(let many) = job { many.listener.keep() }
        book.waiting.append(job)
        if book.phase == .asleep { return load(book) }
        return nil
    }

    /// Nobody waits for the job any more. Those that wait behind it have callers of their own.
    private func drop(_ job: Job, on book: Book) -> After? {
        if case .steps(let many) = job { return abandon(many, .callerGone, on: book) }
        return fail([job], .callerGone)
    }

    // MARK: - Loading and letting go

    private func load(_ book: Book) -> After? {
        book.phase = .loading
        // A shard in the middle of a flush is loaded when the flush is over.
        if book.isFlushing { return nil }
        // Until the book is awake nothing is added to these, flushed or rolled back: the state can be made without the lock.
        let pending = book.pending
        let isQueued = core.readers.submit { [self, core] in
            // Nothing is done with it any more.
            if core.groupCommit.isStopping { return stopLoading(book) }
            let loaded = Result { () throws(StorageError) in
                try LoadedState(of: book.tenant, in: core, followedBy: pending)
            }
            monitor.lock()
            let afters = wake(book, with: loaded)
            monitor.unlock()
            for after in afters { after() }
        }
        guard isQueued else {
            book.phase = .asleep
            return abandon(book, core.groupCommit.whyNot(.lookUps))
        }
        return nil
    }

    private func stopLoading(_ book: Book) {
        monitor.lock()
        book.phase = .asleep
        let after = abandon(book, .stopping)
        monitor.unlock()
        after?()
    }

    /// A flush is over; the lock is held.
    func flushEnded(_ book: Book) -> After? {
        return book.phase == .loading ? load(book) : nil
    }

    private func wake(_ book: Book, with loaded: consuming Result<LoadedState, StorageError>) -> [After] {
        switch consume loaded {
        case .failure(let error):
            book.phase = .asleep
            return [{ [core] in core.report(error, of: book.tenant) }]
                + (abandon(book, .reading(book.tenant, error)).map { [$0] } ?? [])
        case .success(let loaded):
            book.flushedPosition = max(loaded.heldPosition, book.flushedPosition ?? 0)
            book.flushedSequence = loaded.heldSequence
            book.lastPosition = max(book.lastPosition, loaded.heldPosition)
            book.state = ResidentState(loaded.ledger)
            book.phase = .awake
            book.scheduledDeadline = .distantFuture
            admit(book)
            schedule(book)
            let jobs = book.waiting
            book.waiting = []
            return jobs.compactMap { enter($0, book: book, hasWaited: true) }
        }
    }

    private func abandon(_ book: Book, _ error: EngineError) -> After? {
        let jobs = book.waiting
        book.waiting = []
        forgetIfIdle(book)
        return jobs.isEmpty ? nil : fail(jobs, error)
    }

    /// Tells the jobs that they are not done, and the steps that wait behind them. The lock is held.
    private func fail(_ jobs: [Job], _ error: EngineError) -> After {
        var all = jobs
        for case .steps(let job) in jobs where job.hasLooked {
            guard let order = job.order else { continue }
            all += order.waiting.map { .steps($0) }
            order.waiting = []
            order.isLooking = false
        }
        core.shortages.count(error, all.reduce(0) { $0 + $1.count })
        return { for job in all { job.fail(error) } }
    }

    private func admit(_ book: Book) {
        if ring.count >= maxResident { evict() }
        book.ringIndex = ring.count
        ring.append(book)
    }

    /// Lets one idle book go: the first that the hand meets that was not used since it last passed. Looks at a bounded
    /// number, so that a step never waits for a long search; where all are busy the ring grows for a moment.
    private func evict() {
        var looked = 0
        while looked < 64, !ring.isEmpty {
            hand = hand < ring.count ? hand : 0
            let book = ring[hand]
            if book.wasUsed || !book.isEvictable {
                book.wasUsed = false
                hand += 1
            } else {
                leaveRing(book)
                book.sleep()
                forgetIfIdle(book)
                if ring.count < maxResident { return }
            }
            looked += 1
        }
    }

    private func leaveRing(_ book: Book) {
        let last = ring.removeLast()
        if last !== book {
            ring[book.ringIndex] = last
            last.ringIndex = book.ringIndex
        }
    }

    /// A sleeping book that nobody waits for and that owes its shard nothing need not be known. The lock is held.
    func forgetIfIdle(_ book: Book) {
        guard book.phase == .asleep, book.isEvictable, book.isKnown else { return }
        books[book.tenant] = nil
        book.isKnown = false
    }

    /// The tenant's shard is damaged: its state goes, and what the shard was known to hold is to be asked again.
    func layDown(_ tenant: TenantID) {
        monitor.locked {
            guard let book = books[tenant], book.phase != .loading else { return }
            if book.phase == .awake { leaveRing(book) }
            book.sleep()
            book.flushedPosition = nil
            forgetIfIdle(book)
        }
    }

    /// A failed batch: everything beyond `durable` never happened. The lock is held.
    func rollBack(to durable: UInt64) {
        for book in books.values where book.lastPosition > durable {
            let dropped = book.pending.split(through: durable)
            core.writeBehind.dropped(dropped)
            book.lastPosition = max(
                book.pending.lastPosition, book.flushing.lastPosition, book.flushedPosition ?? 0)
            if book.phase == .awake { leaveRing(book) }
            book.sleep()
        }
    }

    /// An empty writer, of the room that the last record left.
    func takeRecordWriter() -> RecordWriter {
        var writer = RecordWriter()
        swap(&writer, &recordWriter)
        return writer
    }

    func put(back writer: consuming RecordWriter) {
        recordWriter = writer
        recordWriter.removeAll(keepingAtMost: Self.keptRecordBytes)
    }

    // MARK: - Time

    func schedule(_ book: Book) {
        guard let state = book.state, let deadline = state.ledger.nextDeadline, deadline < book.scheduledDeadline else {
            return
        }
        book.scheduledDeadline = deadline
        deadlines.push(deadline, book)
        if deadlines.count > 2 * ring.count + 64 {
            deadlines.removeStale { $1.phase != .awake || $1.scheduledDeadline != $0 }
        }
    }

    /// Ends what is due in the books that are in memory; a book that sleeps is settled when it is next looked at, to the same effect.
    func tick() {
        // Books that were too busy to be let go of when others came may be idle now.
        monitor.locked { if ring.count > maxResident { evict() } }
        // Many cycles may turn at one moment: steps go on in between.
        while settleDue() {}
    }

    /// Ends what is due in some books.
    /// - Returns: true where more are due.
    private func settleDue() -> Bool {
        monitor.locked {
            // What is due stays in the heap until it can be journaled.
            guard core.whyNotWrite == nil else { return false }
            let now = core.clock.now()
            for _ in 0..<core.limits.maxSettledAtOnce {
                guard let (deadline, book) = deadlines.popDue(at: now) else { return false }
                guard book.phase == .awake, book.scheduledDeadline == deadline else { continue }
                book.scheduledDeadline = .distantFuture
                _ = run(.settle, on: book)
            }
            return true
        }
    }

    /// Takes out all reports that wait for a shard.
    func takeFlushWaiters() -> [FlushWaiter] {
        monitor.locked { books.values.flatMap { $0.takeFlushWaiters(through: .max) } }
    }

    /// Forgets what waits for its books.
    func abandon() {
        monitor.locked {
            for book in books.values { (book.waiting, book.flushWaiters) = ([], []) }
        }
    }

    func firstPendingPosition() -> UInt64? {
        monitor.locked { books.values.lazy.map(\.pending).filter { !$0.isEmpty }.map(\.firstPosition).min() }
    }

    /// The lock is held.
    var awakeCount: Int { ring.count }

    var residentCount: Int { monitor.locked { ring.count } }
}

import Ledger
import Locks
import Storage

/// Steps of one caller that are taken in their order, also those of one call after the other: while some of them wait for a
/// look-up, later ones wait behind them.
///
/// `@unchecked Sendable`: guarded by the lock of its tenant's partition.
package final class StepOrder: @unchecked Sendable {
    /// The job that looks up what its next step needs.
    var isLooking = false
    /// Those behind it, in their order.
    var waiting: [StepsJob] = []

    package init() {}
}

/// Many steps on a tenant's book, each by itself, in their order. One that memory does not know enough of has those behind it
/// wait for its look-up.
struct StepsJob: Sendable {
    let listener: any StepsListener
    let order: StepOrder?
    /// The first that is not decided.
    var next = 0
    /// What the shard knew for steps from there on.
    var found: [Int: Recalled] = [:]
    /// Whether they were not all decided in one go.
    var hasLooked = false

    init(_ listener: any StepsListener, order: StepOrder? = nil) {
        self.listener = listener
        self.order = order
    }

    /// Those that are not decided.
    var rest: Range<Int> { next..<listener.stepCount }

    /// Stands behind a job of its order that looks something up.
    /// - Returns: false where there is none, so that it is its turn.
    func waitForTurn() -> Bool {
        guard let order, order.isLooking, next == 0, !hasLooked else { return false }
        listener.keep()
        order.waiting.append(self)
        return true
    }

    /// Tells those that are not decided that they will not be.
    func fail(_ error: EngineError) { listener.tell(rest, error) }
}

extension Partition {
    /// Decides the steps up to the first that needs a look-up, as one record; looks up all that the rest needs, and goes on.
    func steps(_ job: StepsJob, on book: Book, at now: Instant) -> After? {
        var job = job
        let settled = settle(book, at: now)
        if !settled.isEmpty { journal(settled, [], of: book, nil) }
        let first = job.next
        var record = takeRecordWriter()
        while job.next < job.listener.stepCount, decideNext(of: &job, on: book, at: now, &record) { job.next += 1 }
        let decided = first..<job.next
        let isWhole = job.rest.isEmpty
        let told =
            decided.isEmpty && !isWhole ? nil : finish(book, record, StepsWaiter(decided, of: job.listener))
        put(back: record)
        if isWhole, !job.hasLooked { return told }
        let rest = isWhole ? release(job.order, on: book) : lookUpRest(of: job, on: book)
        return {
            told?()
            rest?()
        }
    }

    /// Decides the next step.
    /// - Returns: false where it needs a look-up first.
    private func decideNext(
        of job: inout StepsJob, on book: Book, at now: Instant, _ record: inout RecordWriter
    ) -> Bool {
        guard let command = job.listener.command(at: job.next) else {
            job.listener.passed(at: job.next)
            return true
        }
        let found = job.found.isEmpty ? nil : job.found.removeValue(forKey: job.next)
        if let found {
            book.state!.ledger.adopt(found, for: Recall(step: command.key, reservation: command.reservation))
        } else if book.state!.ledger.recall(for: command) != nil {
            return false
        }
        let decision = decide(command, on: book, at: now, recalled: found != nil)
        job.listener.decided(at: job.next, decision.outcome, replayed: decision.replayed)
        record.add(decision.entries)
        return true
    }

    /// Looks up what the steps that are left need, all at once.
    private func lookUpRest(of job: StepsJob, on book: Book) -> After? {
        var job = job
        job.hasLooked = true
        job.listener.keep()
        var recalls: [(index: Int, recall: Recall)] = []
        // All anew: what an earlier look-up did not find may be in the shard, and out of memory, by now.
        for index in job.rest {
            guard let command = job.listener.command(at: index), book.state!.ledger.recall(for: command) != nil else {
                continue
            }
            recalls.append((index, Recall(step: command.key, reservation: command.reservation)))
        }
        job.order?.isLooking = true
        let generation = book.generation
        let began = book.flushedSequence
        let tenant = book.tenant
        let isQueued = core.readers.submit { [self, core, job, recalls] in
            let found = Result { () throws(StorageError) in
                var found: [(Int, Recalled)] = []
                // Nothing is decided any more.
                if core.groupCommit.isStopping { return found }
                for (index, recall) in recalls { found.append((index, try core.shards.recall(tenant, recall))) }
                return found
            }
            monitor.lock()
            endRecall(began, on: book)
            let after = goOn(with: job, found, on: book, generation: generation)
            forgetIfIdle(book)
            monitor.unlock()
            after?()
        }
        guard isQueued else { return abandon(job, core.groupCommit.whyNot(.lookUps), on: book) }
        book.recalls.append(began)
        return nil
    }

    private func goOn(
        with job: StepsJob, _ found: Result<[(Int, Recalled)], StorageError>, on book: Book, generation: Int
    ) -> After? {
        switch found {
        case .failure(let error):
            let failed = abandon(job, .reading(book.tenant, error), on: book)
            return { [core] in
                core.report(error, of: book.tenant)
                failed?()
            }
        case .success(let found):
            if job.listener.hasGone { return abandon(job, .callerGone, on: book) }
            var job = job
            job.found = [:]
            // A state that was thrown away meanwhile may lack, when it comes back, what was looked up for the one before.
            guard book.generation == generation, book.phase == .awake else { return enter(.steps(job), book: book) }
            for (index, recalled) in found { job.found[index] = recalled }
            return run(.steps(job), on: book)
        }
    }

    /// Those of the steps that are not decided are told the error; what waits behind them goes on.
    func abandon(_ job: StepsJob, _ error: EngineError, on book: Book) -> After? {
        // Only a job that looked something up has others behind it.
        let next = job.hasLooked ? release(job.order, on: book) : nil
        core.shortages.count(error, job.rest.count)
        return {
            job.fail(error)
            next?()
        }
    }

    /// The steps behind a job that has looked up go on, up to the next that does.
    func release(_ order: StepOrder?, on book: Book) -> After? {
        guard let order, order.isLooking else { return nil }
        order.isLooking = false
        var afters: [After] = []
        while !order.isLooking, !order.waiting.isEmpty {
            if let after = enter(.steps(order.waiting.removeFirst()), book: book, hasWaited: true) {
                afters.append(after)
            }
        }
        return afters.isEmpty ? nil : { for after in afters { after() } }
    }
}

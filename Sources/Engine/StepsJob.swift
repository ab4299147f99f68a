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
    let commands: [Command]
    let queue: (any CompletionQueue)?
    let caller: (any StepCaller)?
    let completion: ManyStepsCompletion
    let order: StepOrder?
    /// The first that is not decided.
    var next = 0
    /// What the shard knew for steps from there on.
    var found: [Int: Recalled] = [:]
    /// Gathers the results where not all steps are decided in one go.
    var results: StepResults?

    init(
        _ commands: [Command], queue: (any CompletionQueue)?, caller: (any StepCaller)?, order: StepOrder?,
        completion: @escaping ManyStepsCompletion
    ) {
        self.commands = commands
        self.queue = queue
        self.caller = caller
        self.order = order
        self.completion = completion
    }

    /// Stands behind a job of its order that looks something up.
    /// - Returns: false where there is none, so that it is its turn.
    func waitForTurn() -> Bool {
        guard let order, order.isLooking, next == 0, results == nil else { return false }
        order.waiting.append(self)
        return true
    }

    /// Tells those that are not decided that they will not be.
    func fail(_ error: EngineError) {
        let failures = [StepOutcome](repeating: .failure(error), count: commands.count - next)
        if let results { results.set(from: next, failures) } else { completion(failures) }
    }
}

extension Partition {
    /// Decides the steps up to the first that needs a look-up, as one record; looks up all that the rest needs, and goes on.
    func steps(_ job: StepsJob, on book: Book, at now: Instant) -> After? {
        var job = job
        let settled = settle(book, at: now)
        var entries: Few<Entry> = []
        var outcomes: [StepOutcome] = []
        outcomes.reserveCapacity(job.commands.count - job.next)
        let first = job.next
        while job.next < job.commands.count,
            let decision = decide(job.commands[job.next], job.found[job.next], on: book, at: now)
        {
            entries.append(contentsOf: decision.entries)
            outcomes.append(.success(StepResult(outcome: decision.outcome, replayed: decision.replayed)))
            job.found[job.next] = nil
            job.next += 1
        }
        let isWhole = job.next == job.commands.count
        if isWhole, job.results == nil {
            return finish(book, settled, entries, ClosureWaiter(queue: job.queue, job.telling(outcomes)))
        }
        let results = job.results ?? StepResults(count: job.commands.count, job.completion)
        job.results = results
        var told: After?
        if outcomes.isEmpty {
            journal(settled, [], of: book, nil)
        } else {
            told = finish(
                book, settled, entries,
                ClosureWaiter(queue: job.queue) { [outcomes] error in
                    results.set(from: first, error.map { error in outcomes.map { _ in .failure(error) } } ?? outcomes)
                })
        }
        let rest = isWhole ? release(job.order, on: book) : lookUpRest(of: job, on: book)
        return {
            told?()
            rest?()
        }
    }

    /// Nil where the step needs a look-up first.
    private func decide(_ command: Command, _ found: Recalled?, on book: Book, at now: Instant) -> Decision? {
        if let found {
            book.state!.ledger.adopt(found, for: Recall(step: command.key, reservation: command.reservation))
        } else if book.state!.ledger.recall(for: command) != nil {
            return nil
        }
        return decide(command, on: book, at: now, recalled: found != nil)
    }

    /// Looks up what the steps that are left need, all at once.
    private func lookUpRest(of job: StepsJob, on book: Book) -> After? {
        var recalls: [(index: Int, recall: Recall)] = []
        // All anew: what an earlier look-up did not find may be in the shard, and out of memory, by now.
        for index in job.next..<job.commands.count {
            let command = job.commands[index]
            guard book.state!.ledger.recall(for: command) != nil else { continue }
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
            if job.caller?.hasGone == true { return abandon(job, .callerGone, on: book) }
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
        let next = job.results == nil ? nil : release(job.order, on: book)
        core.shortages.count(error, job.commands.count - job.next)
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

extension StepsJob {
    /// What tells the results of all steps, or that none is durable.
    fileprivate func telling(_ outcomes: [StepOutcome]) -> @Sendable (EngineError?) -> Void {
        { [completion] error in
            completion(error.map { error in outcomes.map { _ in .failure(error) } } ?? outcomes)
        }
    }
}

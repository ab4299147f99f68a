import Ledger
import Storage

/// Running a job on a book that is in memory: settle what is due, decide, evolve, hand the record to the journal. The lock is held
/// throughout.
extension Partition {
    func run(_ job: Job, on book: Book) -> After? {
        if case .step(let command, let listener) = job { return step(command, for: listener, on: book) }
        book.wasUsed = true
        let now = max(core.clock.now(), book.state!.ledger.lastAt)
        switch job {
        case .settle:
            journal(settle(book, at: now), [], of: book, nil)
            return nil
        case .read(let read):
            let isDue = book.state!.ledger.nextDeadline.map { $0 <= now } ?? false
            if let error = isDue ? core.whyNotWrite(book) : core.groupCommit.whyNotLook(at: book.lastPosition) {
                return { [core] in read.failed(core.noted(error)) }
            }
            // What it sees is journaled first: a report waits for the tenant's newest record.
            let settled = settle(book, at: now)
            if !settled.isEmpty { journal(settled, [], of: book, nil) }
            let deliver = read.body(book.state!.ledger, now, book)
            return finish(
                book, [], [],
                ClosureWaiter(queue: read.queue) { if let error = $0 { read.failed(error) } else { deliver() } })
        case .step: preconditionFailure("a step is run by itself")
        case .steps(let many):
            if let error = core.whyNotWrite(book) { return abandon(many, error, on: book) }
            return steps(many, on: book, at: now)
        case .limits(let limits):
            if let error = core.whyNotWrite(book) { return { [core] in job.fail(core.noted(error)) } }
            return set(limits, on: book, at: now)
        }
    }

    func step(_ command: Command, for listener: any StepListener, on book: Book) -> After? {
        book.wasUsed = true
        if let error = groupCommit.whyNotWrite(book) ?? writeBehind.whyNotWrite(book) {
            return { [core] in listener.settled(core.noted(error)) }
        }
        guard let state = book.state else { preconditionFailure("a book that is awake has a state") }
        let now = max(clock.now(), state.ledger.lastAt)
        // Before it is asked what memory knows: of a hold that has just ended it may know less than of one that is open.
        let settled = settle(book, at: now)
        if state.ledger.recall(for: command) != nil {
            if !settled.isEmpty { journal(settled, [], of: book, nil) }
            return steps(StepsJob(SingleStep(command, for: listener)), on: book, at: now)
        }
        return decide(command, for: listener, settled, on: book, at: now)
    }

    /// Decides a step of which memory knows enough, in a book that is settled, and has its caller told.
    func decide(
        _ command: Command, for listener: any StepListener, _ settled: [Entry], on book: Book, at now: Instant
    ) -> After? {
        let decision = decide(command, on: book, at: now, recalled: false)
        // Before anybody can settle it.
        listener.decided(decision.outcome, replayed: decision.replayed)
        return finish(book, settled, decision.entries, listener)
    }

    /// Decides a step and evolves what comes of it; journaling is the caller's.
    func decide(_ command: Command, on book: Book, at now: Instant, recalled: Bool) -> Decision {
        guard let state = book.state else { preconditionFailure("a step is decided on a book that is awake") }
        let decision = state.ledger.decide(command, at: now, under: rules, recalled: recalled)
        state.ledger.evolve(decision.entries)
        if decision.isLeftOut { state.ledger.leaveOut() }
        return decision
    }

    func settle(_ book: Book, at now: Instant) -> [Entry] {
        book.state!.ledger.settle(at: now, under: rules)
    }

    /// Journals what there is and has `waiter` told when all that the job saw is durable.
    func finish(
        _ book: Book, _ settled: [Entry], _ decided: Few<Entry>, _ waiter: any DurabilityWaiter
    ) -> After? {
        if !settled.isEmpty {
            journal(settled, decided, of: book, waiter)
            return nil
        }
        if !decided.isEmpty {
            journal(record: decided, of: book, waiter)
            schedule(book)
            return nil
        }
        return wait(book, waiter)
    }

    /// Journals what steps were decided to write, and has `waiter` told when that, and all that they saw, is durable.
    func finish(_ book: Book, _ record: borrowing RecordWriter, _ waiter: any DurabilityWaiter) -> After? {
        guard record.count > 0 else { return wait(book, waiter) }
        journaled(
            record.count, byteCount: groupCommit.submit(of: book, waiter) { record.write(into: &$0) }, of: book)
        schedule(book)
        return nil
    }

    /// Has `waiter` told when all that is journaled of the book is durable.
    private func wait(_ book: Book, _ waiter: any DurabilityWaiter) -> After? {
        if groupCommit.wait(for: book.lastPosition, waiter) { return nil }
        return {
            if let queue = waiter.queue { queue.run { waiter.settled(nil) } } else { waiter.settled(nil) }
        }
    }

    /// Any number of holds and cycles may end together: what ended before the step may stand in records before the step's.
    /// A cycle and the grants that come with it are never parted, and neither is what was decided.
    func journal(_ settled: [Entry], _ decided: Few<Entry>, of book: Book, _ waiter: (any DurabilityWaiter)?) {
        var rest = settled[...]
        while rest.count + decided.count > core.limits.maxEntriesPerRecord, !rest.isEmpty {
            var cut = min(rest.endIndex, rest.startIndex + core.limits.maxEntriesPerRecord)
            while cut < rest.endIndex, rest[cut].kind == .grant, cut > rest.startIndex + 1 { cut -= 1 }
            journal(record: Few(rest[..<cut]), of: book, nil)
            rest = rest[cut...]
        }
        let last = rest.isEmpty ? decided : Few(rest + decided)
        if !last.isEmpty { journal(record: last, of: book, waiter) }
        schedule(book)
    }

    private func journal(record entries: Few<Entry>, of book: Book, _ waiter: (any DurabilityWaiter)?) {
        let byteCount = groupCommit.submit(of: book, waiter) { EntryCodec.encodeRecord(entries, into: &$0) }
        journaled(entries.count, byteCount: byteCount, of: book)
    }

    private func journaled(_ entryCount: Int, byteCount: Int, of book: Book) {
        writeBehind.added(byteCount: byteCount, to: book)
        // As many as may come of it and one more each, so that a book that never pauses does not grow.
        book.forget(atMost: 2 * entryCount)
    }

    func endRecall(_ began: UInt64, on book: Book) {
        guard let index = book.recalls.firstIndex(of: began) else { preconditionFailure("a recall that never began") }
        book.recalls.remove(at: index)
    }
}

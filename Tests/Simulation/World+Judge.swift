import Engine
import Ledger
import Storage

/// What may be answered, and what may be found.
extension World {
    // MARK: - The journal

    /// The journal took a batch.
    func becameDurable(_ batch: [DurableRecords.Record], from first: UInt64) {
        records.doubtful = []
        guard !batch.isEmpty else { return }
        guard first == records.count + 1 else {
            return fail("a batch begins at \(first), and \(records.count) were durable")
        }
        for record in batch {
            records.add(record)
            let position = records.count
            digest.add(position)
            guard let tenant = byName[record.tenant] else { return fail("a record of nobody") }
            guard let entries = try? record.bytes.withUnsafeBytes({ try EntryCodec.decodeRecord($0) }) else {
                return fail("record \(position) cannot be read")
            }
            count("entries", entries.count)
            if let wrong = undone(entries, tenant) ?? tenant.book.add(entries, at: position, sent: tenant.command) {
                return fail("\(tenant.id): \(wrong)")
            }
        }
    }

    /// A step that is done although everybody who asked for it was told that it is not.
    private func undone(_ entries: [Entry], _ tenant: Tenant) -> String? {
        let entry = entries.first { entry in
            entry.key.map { !tenant.mayBeDone($0, entry.fingerprint) } ?? false
        }
        return entry.map { "whoever asked for it was told that it is not done: entry \($0.sequence) \($0)" }
    }

    /// A caller was told that its step is not done: then it is in the book by another call alone.
    func isNotDone(_ command: Command, _ call: Call) {
        let tenant = call.tenant
        tenant.isOver(command)
        guard let key = command.key, let index = tenant.book.facts[key]?.success,
            tenant.book.entries[index].fingerprint == command.fingerprint, tenant.book.positions[index] > call.durable
        else { return }
        if !tenant.toldNew.contains(key), !tenant.mayBeDone(key, command.fingerprint) {
            fail("\(tenant.id): \(command) is done, and whoever asked for it was told that it is not")
        }
    }

    /// The journal hands back a record.
    func wasReplayed(_ record: DurableRecords.Record, at position: UInt64) {
        count("records replayed")
        if !records.isSame(record, at: position) { fail("record \(position) is not what was journaled") }
    }

    // MARK: - Answers

    /// - Returns: the number of the entry, where the step was done anew.
    func judge(_ result: StepResult, of command: Command, _ call: Call) -> UInt64? {
        digest.add(UInt64(result.replayed ? 1 : 0))
        switch result.outcome {
        case .success(let answer):
            digest.add(answer.amount)
            digest.add(answer.balance.available)
            digest.add(answer.at.microseconds)
            return judge(answer, replayed: result.replayed, of: command, call)
        case .failure(let refusal):
            judge(refusal, replayed: result.replayed, of: command, call)
            return nil
        }
    }

    private func judge(_ answer: StepAnswer, replayed: Bool, of command: Command, _ call: Call) -> UInt64? {
        count(replayed ? "replayed" : "done")
        let tenant = call.tenant
        guard let key = command.key else { return nil }
        guard let index = tenant.book.facts[key]?.success,
            tenant.book.entries[index].fingerprint == command.fingerprint
        else {
            if !replayed, answer.amount == 0, command.mayChangeNothing { return nil }
            fail("\(tenant.id): \(command) is answered, and is not durable: \(answer)")
            return nil
        }
        let entry = tenant.book.entries[index]
        if !replayed, command.mayChangeNothing, tenant.book.positions[index] <= call.durable { return nil }
        if !agrees(answer, entry) {
            if !replayed, command.mayChangeNothing, answer.foundNothingToChange(in: tenant.book, before: index, call) {
                count("done by a later call")
                return nil
            }
            fail("\(tenant.id): the answer to \(command) is \(answer), and its entry \(entry)")
        }
        if let first = tenant.answers[key] {
            count("answers compared")
            if first != answer { fail("\(tenant.id): \(command) was answered \(first), and now \(answer)") }
        } else {
            tenant.answers[key] = answer
        }
        if answer.kind == .reserve || answer.kind == .charge { tenant.opened.append(entry.reservation) }
        if replayed { return nil }
        if tenant.book.positions[index] <= call.durable { fail("\(tenant.id): \(command) was done before") }
        if let went = call.caller?.wentBefore, entry.at > went {
            fail("\(tenant.id): \(command) had to wait, and is done for a caller who had gone")
        }
        if !tenant.toldNew.insert(key).inserted { fail("\(tenant.id): \(command) is new twice") }
        return entry.sequence
    }

    func agrees(_ answer: StepAnswer, _ entry: Entry) -> Bool {
        guard answer.kind == entry.kind, answer.at == entry.at, answer.amount == entry.amount,
            answer.balance == entry.after
        else { return false }
        switch entry.detail {
        case .opening(let terms, let progress):
            return answer.reservation?.id == entry.reservation && answer.reservation?.progress == progress
                && answer.reservation?.terms == terms
        case .progress(let progress, _):
            return answer.reservation?.id == entry.reservation && answer.reservation?.progress == progress
        case .grant(let grant):
            return answer.grant?.id == grant.id && answer.grant?.amount == grant.amount
                && answer.grant?.expiresAt == grant.expiresAt
        default: return answer.reservation == nil
        }
    }

    private func judge(_ refusal: Refusal, replayed: Bool, of command: Command, _ call: Call) {
        let tenant = call.tenant
        count("refused: \("\(refusal)".prefix { $0.isLetter })")
        let fact = command.key.flatMap { tenant.book.facts[$0] }
        if let index = fact?.success, tenant.book.positions[index] <= call.durable {
            let isSame = tenant.book.entries[index].fingerprint == command.fingerprint
            if isSame { return fail("\(tenant.id): \(command) was done, and is refused: \(refusal)") }
            if refusal != .idReused { return fail("\(tenant.id): an id that was used gets \(refusal): \(command)") }
        }
        let reservation = command.reservation.flatMap { tenant.book.reservations[$0] }
        switch refusal {
        case .idReused:
            let others = (fact?.refusals ?? []).contains { $0.fingerprint != command.fingerprint }
            if fact?.success == nil, !others { fail("\(tenant.id): no id was used: \(command)") }
        case .insufficientCredits, .aiDisabled, .hardLimitReached:
            let known = fact?.refusals.contains {
                $0.refusal == refusal && $0.fingerprint == command.fingerprint
                    && (!replayed || $0.position <= records.count)
            }
            if known != true { fail("\(tenant.id): \(command) is refused, and nothing is durable of it: \(refusal)") }
        case .reservationNotFound:
            if let opened = reservation?.openedBy, tenant.book.positions[Int(opened) - 1] <= call.durable {
                fail("\(tenant.id): the reservation is there: \(command)")
            }
        case .reservationClosed(let state):
            if reservation == nil || reservation!.state == .open || state == .open {
                fail("\(tenant.id): the reservation is not closed: \(command)")
            }
        case .refundExceedsCommitted(let left):
            if let reservation, left > reservation.charged {
                fail("\(tenant.id): so much was never charged: \(command)")
            }
        default: break
        }
    }

    func judge(_ error: EngineError, of command: Command?, _ call: Call) {
        switch error {
        case .damaged(let tenant, let error): fail("\(tenant) is called damaged, and nothing was done to it: \(error)")
        case .unavailable(let why):
            count("unavailable")
            if !hasStormed { fail("unavailable in good weather: \(why)") }
        case .overloaded(let why): count("overloaded: \(why)")
        case .stopping:
            count("stopping")
            if !isStopping { fail("it stops, and nobody asked it to") }
        case .callerGone:
            count("gone callers")
            dropped += 1
            if call.caller?.hasGone != true { fail("the caller is called gone, and it never went: \(call.commands)") }
        }
    }

    // MARK: - Reads

    func judge(_ glance: Glance, of tenant: Tenant, atLeast wanted: UInt64) {
        count("reads")
        let book = tenant.book
        digest.add(glance.sequence)
        guard glance.sequence <= book.sequence else {
            return fail("\(tenant.id): a read shows entry \(glance.sequence), and \(book.sequence) are durable")
        }
        guard glance.sequence >= wanted, glance.sequence >= tenant.shown else {
            return fail("\(tenant.id): a read shows entry \(glance.sequence), after \(max(wanted, tenant.shown)) was")
        }
        tenant.shown = glance.sequence
        let totals = book.totals[Int(glance.sequence)]
        guard glance.totals == totals else { return fail("\(tenant.id): \(glance.totals) is read, and is \(totals)") }
        guard let snapshot = glance.snapshot, glance.sequence == book.sequence else { return }
        count("deep reads")
        if let wrong = book.difference(from: snapshot) { fail("\(tenant.id): \(wrong)") }
    }

    func judge(_ page: TransactionPage, of tenant: Tenant, atLeast wanted: UInt64) {
        count("pages")
        var next = page.entries.first?.entry.sequence ?? 0
        guard next >= wanted else { return fail("\(tenant.id): a report ends at \(next), and \(wanted) was durable") }
        for stored in page.entries {
            guard stored.entry.sequence == next, next <= tenant.book.sequence,
                stored.entry == tenant.book.entries[Int(next) - 1]
            else { return fail("\(tenant.id): a report has \(stored.entry) as entry \(next)") }
            next -= 1
        }
    }

    func judge(_ verdict: BookVerdict?, of tenant: Tenant, atLeast wanted: UInt64) {
        count("proofs")
        guard let verdict else {
            if wanted > 0 { fail("\(tenant.id) has no shard") }
            return
        }
        if let fault = verdict.fault { return fail("\(tenant.id): the book does not verify: \(fault)") }
        guard verdict.entries >= wanted, verdict.entries <= tenant.book.sequence else {
            return fail("\(tenant.id): the book has \(verdict.entries) entries, and \(wanted) were durable")
        }
        let totals = tenant.book.totals[Int(verdict.entries)]
        if verdict.totals != totals { fail("\(tenant.id): the book adds up to \(verdict.totals), and it is \(totals)") }
    }
}

extension EngineError {
    /// The step was not decided, and never will be by this call. Where the disk failed that is not known before it is read again.
    var saysNotDone: Bool {
        switch self {
        case .callerGone, .overloaded, .stopping: true
        case .unavailable, .damaged: false
        }
    }
}

extension Command {
    /// It may find that all is as it should be, and leaves no entry then.
    fileprivate var mayChangeNothing: Bool {
        switch self {
        case .subscribe, .set, .revoke: true
        default: false
        }
    }
}

extension StepAnswer {
    /// Whether it is that of a call that found nothing to change, made before another call of the same step, which the book
    /// has at `index`, found something: it tells of the book as it stood in between.
    fileprivate func foundNothingToChange(in book: PlainBook, before index: Int, _ call: Call) -> Bool {
        guard amount == 0 else { return false }
        return (0..<index).contains { before in
            book.positions[before + 1] > call.durable && book.entries[before].at <= at
                && book.entries[before].after == balance
        }
    }
}

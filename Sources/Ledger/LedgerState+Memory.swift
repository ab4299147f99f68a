extension LedgerState {
    /// What must be looked up in the shard before `decide`; nil where memory knows enough. What is found, or that nothing
    /// was, goes to `adopt`.
    package func recall(for command: Command) -> Recall? {
        var recall = Recall()
        if let id = command.reservation, !knows(reservation: id) { recall.reservation = id }
        if let key = command.key, !knows(step: key) { recall.step = key }
        return recall.isEmpty ? nil : recall
    }

    /// What must be looked up before an entry of a journal is evolved: limits count by what a reservation is for, and one
    /// that was closed before the state was restored is not in memory.
    package func recall(forEvolving entry: Entry) -> Recall? {
        guard !governance.limits.isEmpty, case .progress = entry.subject else { return nil }
        if let place = memory.reservations.find(entry.reservation), memory.reservations[place].hasTerms { return nil }
        return Recall(reservation: entry.reservation)
    }

    /// Takes up what the shard knew. Memory is newer and keeps what it has. What was adopted stays until `decide` for the
    /// command that asked, and some time longer.
    package mutating func adopt(_ recalled: Recalled, for recall: Recall) {
        if let found = recalled.reservation, memory.reservations.find(found.id) != nil || canAdopt(found) {
            memory.adopt(found)
        }
        if let key = recall.step, let step = recalled.step { memory.adopt(step, for: key) }
    }

    /// Lets go of closed reservations and of steps that the shard holds (those of entries up to `flushedThrough`), but of
    /// the newest `keep`. Refusals go too, and in any case some time after they need to be remembered.
    /// - Returns: true where `atMost` were forgotten and more may go.
    @discardableResult
    package mutating func forget(flushedThrough: UInt64, keep: Int, atMost: Int = .max) -> Bool {
        let memoryOfRefusals = LedgerRules.refusalMemoryMicroseconds + Limits.refusalSlackMicroseconds
        return memory.forget(
            flushedThrough: flushedThrough, keep: keep, before: lastAt.advanced(microseconds: -memoryOfRefusals),
            atMost: atMost)
    }

    /// Open reservations are always in memory, and no closed one was charged more than its grants were: what says otherwise
    /// comes from a damaged file and is as good as not found.
    private func canAdopt(_ reservation: Reservation) -> Bool {
        reservation.progress.state != .open && reservation.progress.refunded >= 0
            && reservation.progress.draws.allSatisfy { draw in
                draw.grant <= grants.count && draw.held == 0 && draw.consumed >= 0
                    && draw.consumed
                        <= (draw.grant == Move.overageNumber
                            ? grantTable.overage.consumed : grants[Int(draw.grant) - 1].consumed)
            }
    }

    /// Memory knows the reservation, or that there is none.
    private func knows(reservation id: StepID) -> Bool {
        guard let place = memory.reservations.find(id) else { return memory.isNew(id) }
        return memory.reservations[place].hasTerms
    }

    /// Memory knows the step, or that there is none.
    private func knows(step key: StepKey) -> Bool {
        if memory.isNew(key.id) || memory.step(key) != nil { return true }
        guard let place = memory.reservations.find(key.id) else { return false }
        switch key.family {
        case .opening:
            return memory.reservations[place].opening != nil
        case .commit:
            return memory.reservations[place].isWhole || memory.reservations[place].closing?.kind == .commit
        case .release:
            // A release would have closed it.
            return memory.reservations[place].isWhole || memory.reservations[place].closing?.kind == .release
                || memory.reservations[place].reservation.progress.state == .open
        case .grant, .anonymousPartial, .refund, .extend, .grantRevocation, .subscription, .note:
            return false
        }
    }

    /// What memory knows of a step.
    struct KnownStep {
        var fingerprint: UInt64
        /// Nil for a success whose answer needs a reservation that memory lacks the terms of.
        var outcome: Result<StepAnswer, Refusal>?
    }

    /// What is remembered under the key: first what succeeded under its reservation's own id, then the rest. The step is
    /// found also where its answer cannot be made: its id is used, whichever reservation the command names.
    func known(_ key: StepKey) -> KnownStep? {
        if let place = memory.reservations.find(key.id), let trace = memory.reservations.trace(place, key.family) {
            return known(trace, of: place)
        }
        switch memory.step(key) {
        case nil:
            return nil
        case .adopted(let step):
            return KnownStep(fingerprint: step.fingerprint, outcome: step.outcome)
        case .refused(let refusal, let fingerprint, _):
            return KnownStep(fingerprint: fingerprint, outcome: .failure(refusal))
        case .grant(let number, let paid, let fingerprint, let at, let balance):
            return KnownStep(
                fingerprint: fingerprint,
                outcome: .success(grantAnswer(number, paid: paid, at: at, balance: balance)))
        case .plain(let kind, let fingerprint, let at, let amount, let balance):
            return KnownStep(
                fingerprint: fingerprint,
                outcome: .success(StepAnswer(kind: kind, at: at, amount: amount, balance: balance)))
        case .reservation(let id, let trace):
            return known(trace, of: memory.reservations.find(id))
        }
    }

    private func known(_ trace: StepTrace, of place: Int?) -> KnownStep {
        guard let place, memory.reservations[place].hasTerms else { return KnownStep(fingerprint: trace.fingerprint) }
        return KnownStep(
            fingerprint: trace.fingerprint,
            outcome: .success(trace.answer(memory.reservations[place].reservation)))
    }

    private func grantAnswer(
        _ number: UInt32, paid: Int64, at: Instant, balance: BalanceAfter
    ) -> StepAnswer {
        let now = grants[Int(number) - 1]
        let made = Grant(
            number: number, id: now.id, kind: now.kind, createdAt: now.createdAt, expiresAt: now.expiresAt,
            comment: now.comment, amount: now.amount, origin: now.origin)
        return StepAnswer(
            kind: .grant, at: at, amount: now.amount, balance: balance, grant: made.havingPaid(paid))
    }
}

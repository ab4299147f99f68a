/// The steps on a reservation that is there already.
extension LedgerState {
    private func existing(_ id: StepID) throws(Refusal) -> Reservation {
        guard let reservation = reservation(id) else { throw .reservationNotFound }
        return reservation
    }

    /// The entry of a later step, and the decision to write it.
    private func goOn(
        _ kind: EntryKind, at now: Instant, _ key: StepKey?, _ fingerprint: UInt64, _ reservation: Reservation,
        amount: Int64, moves: Few<Move> = [], progress: ReservationProgress, comment: String = "",
        quantities: [Quantity] = [], audit: AuditNote? = nil, after before: [Entry] = []
    ) -> Decision {
        let entry = entry(
            kind, at: now, key: key, fingerprint: fingerprint, of: reservation.id, amount: amount, moves: moves,
            comment: comment, audit: audit, subject: .progress, progress: progress, quantities: quantities,
            skipping: before.count)
        return done(entry, after: before, of: reservation)
    }

    // MARK: - Commit

    func decide(_ command: CommitCommand, at now: Instant, under rules: any BookRules) throws(Refusal) -> Decision {
        var reservation = try existing(command.reservation)
        let isLate = try isLate(command, reservation.progress, at: now)
        let (amount, quantities) = try charged(command, reservation.terms)
        guard reservation.progress.committed.checkedSum(amount) != nil else { throw .overflow }
        var drawing = Drawing(reservation.progress.draws)
        let excess =
            isLate
            ? amount : drawing.chargeHeld(amount, keepsRest: command.partial, grantTable, at: now)
        let audit = excess == 0 ? nil : try checkExcess(excess, reservation.terms, .commit(command), at: now)
        drawing.charge(excess, grantTable, available: totals.available)
        guard drawing.draws.count <= Limits.maxDrawsPerReservation else { throw .overflow }
        reservation.progress.draws = drawing.draws
        if !command.partial {
            reservation.progress.state = .committed
            reservation.progress.late = isLate
            reservation.progress.closedAt = now
        }
        return goOn(
            command.partial ? .partialCommit : .commit, at: now, command.key, command.fingerprint, reservation,
            amount: amount, moves: drawing.moves, progress: reservation.progress, comment: command.comment,
            quantities: quantities, audit: audit, after: windowEntries(at: now, under: rules))
    }

    /// What a commit charges beyond its hold must be there, and within the limits.
    /// - Returns: what the audit trail is to know of limits on trial.
    private func checkExcess(
        _ excess: Int64, _ terms: ReservationTerms, _ command: Command, at now: Instant
    ) throws(Refusal) -> AuditNote? {
        let limits = limitCheck(of: excess, feature: terms.feature, member: terms.actor, at: now)
        if let reached = limits.reached { throw .hardLimitReached(reached) }
        let affordable = totals.available + overageRoom
        guard excess <= affordable else {
            throw .insufficientCredits(neededMicros: excess, availableMicros: affordable)
        }
        return limits.note(for: command)
    }

    /// True where the hold ended a short while ago, so that its commit is charged from what is available.
    private func isLate(
        _ command: CommitCommand, _ progress: ReservationProgress, at now: Instant
    ) throws(Refusal) -> Bool {
        if progress.state == .open { return false }
        guard progress.state == .expired, !command.partial, let closedAt = progress.closedAt,
            now <= closedAt.advanced(microseconds: LedgerRules.lateCommitWindowMicroseconds)
        else { throw .reservationClosed(progress.state) }
        return true
    }

    /// What a commit charges: a plain amount, or quantities at the prices and quality of its reservation.
    private func charged(
        _ command: CommitCommand, _ terms: ReservationTerms
    ) throws(Refusal) -> (amount: Int64, quantities: [Quantity]) {
        switch command.ask {
        case .amount(let amount):
            precondition(amount >= 0, "less than nothing is charged")
            return (amount, [])
        case .quantities(let quantities, _, _):
            guard let price = prices[terms.priceVersion] else {
                throw .price(quantities.first.map { .unknownUnit($0.unit) } ?? .noQuantities)
            }
            return (try cost(quantities, terms.quality, price, isPartial: command.partial), quantities)
        }
    }

    // MARK: - Release, refund, extend

    func decide(_ command: ReleaseCommand, at now: Instant) throws(Refusal) -> Decision {
        let reservation = try existing(command.reservation)
        let progress = reservation.progress
        guard progress.state == .open else { throw .reservationClosed(progress.state) }
        var drawing = Drawing(progress.draws)
        let amount = drawing.giveBack(grantTable, at: now)
        return goOn(
            .release, at: now, command.key, command.fingerprint, reservation, amount: amount, moves: drawing.moves,
            progress: progress.closed(.released, at: now, draws: drawing.draws), comment: command.reason)
    }

    func decide(_ command: RefundCommand, at now: Instant, under rules: any BookRules) throws(Refusal) -> Decision {
        let reservation = try existing(command.reservation)
        var progress = reservation.progress
        let refundable = progress.committed - progress.refunded
        let amount = command.amountMicros ?? refundable
        precondition(amount >= 0, "less than nothing is refunded")
        guard refundable > 0, amount <= refundable else {
            throw .refundExceedsCommitted(refundableMicros: refundable)
        }
        var drawing = Drawing(progress.draws)
        drawing.refund(amount, grantTable, at: now)
        // Refunds add up over a grant's whole life, which nothing else bounds.
        var perGrant: [UInt32: Int64] = [:]
        for move in drawing.moves where move.grant != Move.overageNumber {
            let before = perGrant[move.grant] ?? grantTable.refunded(of: move.grant)
            guard let sum = before.checkedSum(-move.consumed) else { throw .overflow }
            perGrant[move.grant] = sum
        }
        progress.refunded += amount
        progress.draws = drawing.draws
        return goOn(
            .refund, at: now, command.key, command.fingerprint, reservation, amount: amount, moves: drawing.moves,
            progress: progress, comment: command.reason, after: windowEntries(at: now, under: rules))
    }

    func decide(_ command: ExtendCommand, at now: Instant) throws(Refusal) -> Decision {
        let reservation = try existing(command.reservation)
        var progress = reservation.progress
        guard progress.state == .open else { throw .reservationClosed(progress.state) }
        progress.expiresAt = max(progress.expiresAt, now.advanced(microseconds: command.ttlMicroseconds))
        return goOn(
            .extend, at: now, command.key, command.fingerprint, reservation, amount: 0, progress: progress)
    }
}

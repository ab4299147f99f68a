/// The steps on a reservation that is there already.
extension LedgerState {
    private func existing(_ id: StepID) throws(Refusal) -> Reservation {
        guard let reservation = reservation(id) else { throw .reservationNotFound }
        return reservation
    }

    /// The entry of a later step, and the decision to write it.
    private func goOn(
        _ kind: EntryKind, at now: Instant, _ command: Command, _ reservation: Reservation, amount: Int64,
        moves: [Move] = [], progress: ReservationProgress, comment: String = "", quantities: [Quantity] = []
    ) -> Decision {
        let entry = entry(
            kind, at: now, key: command.key, fingerprint: command.fingerprint, reservation: reservation.id,
            amount: amount, moves: moves, comment: comment, detail: .progress(progress, quantities: quantities))
        return done(entry, of: reservation)
    }

    // MARK: - Commit

    func decide(_ command: CommitCommand, at now: Instant) throws(Refusal) -> Decision {
        let reservation = try existing(command.reservation)
        var progress = reservation.progress
        let isLate = try isLate(command, progress, at: now)
        let (amount, quantities) = try charged(command.ask, reservation.terms)
        guard progress.committed.checkedSum(amount) != nil else { throw .overflow }
        var drawing = Drawing(progress.draws)
        let excess =
            isLate
            ? amount : drawing.chargeHeld(amount, keepsRest: command.partial, grantTable, at: now)
        guard excess <= totals.available else {
            throw .insufficientCredits(neededMicros: excess, availableMicros: totals.available)
        }
        drawing.charge(excess, grantTable)
        guard drawing.draws.count <= Limits.maxDrawsPerReservation else { throw .overflow }
        progress.draws = drawing.draws
        if !command.partial {
            progress.state = .committed
            progress.late = isLate
            progress.closedAt = now
        }
        return goOn(
            command.partial ? .partialCommit : .commit, at: now, .commit(command), reservation, amount: amount,
            moves: drawing.moves, progress: progress, comment: command.comment, quantities: quantities)
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
        _ ask: Ask, _ terms: ReservationTerms
    ) throws(Refusal) -> (amount: Int64, quantities: [Quantity]) {
        switch ask {
        case .amount(let amount):
            precondition(amount >= 0, "less than nothing is charged")
            return (amount, [])
        case .quantities(let quantities, _, _):
            guard let price = prices[terms.priceVersion] else {
                throw .price(.unknownUnit(quantities.first?.unit ?? ""))
            }
            return (try cost(quantities, terms.quality, price), quantities)
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
            .release, at: now, .release(command), reservation, amount: amount, moves: drawing.moves,
            progress: progress.closed(.released, at: now, draws: drawing.draws), comment: command.reason)
    }

    func decide(_ command: RefundCommand, at now: Instant) throws(Refusal) -> Decision {
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
        for move in drawing.moves {
            let before = perGrant[move.grant] ?? grantTable.refunded(of: move.grant)
            guard let sum = before.checkedSum(-move.consumed) else { throw .overflow }
            perGrant[move.grant] = sum
        }
        progress.refunded += amount
        progress.draws = drawing.draws
        return goOn(
            .refund, at: now, .refund(command), reservation, amount: amount, moves: drawing.moves,
            progress: progress, comment: command.reason)
    }

    func decide(_ command: ExtendCommand, at now: Instant) throws(Refusal) -> Decision {
        let reservation = try existing(command.reservation)
        var progress = reservation.progress
        guard progress.state == .open else { throw .reservationClosed(progress.state) }
        progress.expiresAt = max(progress.expiresAt, now.advanced(microseconds: command.ttlMicroseconds))
        return goOn(.extend, at: now, .extend(command), reservation, amount: 0, progress: progress)
    }
}

extension LedgerState {
    /// Ends what is due up to `now`: holds, grants and cycles, each at its exact time, in the order of time. At one instant
    /// holds end before grants expire, so that what a hold gives back goes the way of the rest of its grant, and cycles
    /// turn last, when it is known what is left. Changes the state and returns the entries, as many as there was due.
    package mutating func settle(at now: Instant, under rules: any BookRules = PlainRules.shared) -> [Entry] {
        guard let deadline = nextDeadline, deadline <= now else { return [] }
        var entries: [Entry] = []
        while true {
            if let entry = nextEnd(at: now) {
                evolve(entry)
                entries.append(entry)
            } else if let end = governance.subscription?.cycle?.end, end <= now {
                turnCycle(at: end, under: rules, &entries)
            } else {
                // Who settles until nothing is due would never end.
                precondition(nextDeadline.map { $0 > now } ?? true, "what is due was not ended")
                return entries
            }
        }
    }

    /// What ends next, unless a cycle turns before it.
    private func nextEnd(at now: Instant) -> Entry? {
        let expiry = grantTable.nextExpiry
        let now = min(now, governance.subscription?.cycle?.end ?? .distantFuture)
        if let hold = holds.first, hold.expiresAt <= now, hold.expiresAt <= expiry?.at ?? .distantFuture {
            return holdEnd(hold)
        }
        guard let expiry, expiry.at <= now else { return nil }
        let amount = grantTable.available(of: expiry.grant)
        return entry(
            .grantExpiry, at: max(expiry.at, lastAt), amount: amount,
            moves: [Move(grant: expiry.grant, expired: amount)])
    }

    private func holdEnd(_ hold: HoldQueue.Item) -> Entry {
        let reservation = memory.reservations[hold.slot].reservation
        let at = max(hold.expiresAt, lastAt)
        var returned = Drawing(reservation.progress.draws)
        let amount = returned.giveBack(grantTable, at: at)
        let progress = reservation.progress.closed(.expired, at: at, draws: returned.draws)
        return entry(
            .holdExpiry, at: at, of: hold.id, amount: amount, moves: returned.moves, subject: .progress,
            progress: progress)
    }

    /// The entry that comes next in the book, with the balance that its moves lead to.
    /// - Parameter skipping: entries of the same decision that come before it; they move nothing.
    func entry(
        _ kind: EntryKind, at: Instant, key: StepKey? = nil, amount: Int64, moves: Few<Move> = [],
        comment: String = "", detail: Entry.Detail = .none, skipping: Int = 0
    ) -> Entry {
        Entry(
            sequence: sequence + 1 + UInt64(skipping), at: at, kind: kind, key: key, amount: amount, moves: moves,
            after: balance(after: moves), comment: comment, detail: detail)
    }

    /// The same where it is about a reservation.
    func entry(
        _ kind: EntryKind, at: Instant, key: StepKey? = nil, fingerprint: UInt64 = 0, of reservation: StepID,
        amount: Int64, moves: Few<Move>, comment: String = "", audit: AuditNote? = nil, subject: Entry.Subject,
        terms: ReservationTerms? = nil, progress: ReservationProgress, quantities: [Quantity] = [], skipping: Int = 0
    ) -> Entry {
        Entry(
            Entry.Value(
                sequence: sequence + 1 + UInt64(skipping), at: at, kind: kind, key: key, fingerprint: fingerprint,
                reservation: reservation, amount: amount, moves: moves, after: balance(after: moves), comment: comment,
                audit: audit, subject: subject, terms: terms, progress: progress, quantities: quantities))
    }

    private func balance(after moves: Few<Move>) -> BalanceAfter {
        var after = balance
        for move in moves {
            after.held += move.held
            after.available += move.available
        }
        return after
    }
}

extension ReservationProgress {
    /// Closed at `at`, holding what `draws` say.
    func closed(_ state: ReservationState, at: Instant, draws: Few<Draw>) -> ReservationProgress {
        ReservationProgress(
            state: state, late: late, expiresAt: expiresAt, closedAt: at, refunded: refunded, draws: draws)
    }
}

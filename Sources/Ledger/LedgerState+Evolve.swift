extension LedgerState {
    /// Makes the entry part of the book. The entry was decided on this very state, or stood after it in a journal of ours:
    /// one that contradicts the book stops the process before a wrong number is written anywhere.
    package mutating func evolve(_ entry: Entry) {
        do throws(Contradiction) {
            try evolve(verifying: entry)
        } catch {
            preconditionFailure("entry \(entry.sequence) contradicts its book: \(error)")
        }
    }

    /// The same for what one step decided.
    package mutating func evolve(_ entries: Few<Entry>) {
        entries.forEach { evolve($0) }
    }

    /// The same for an entry of which nothing is known. After an error the state is of no more use.
    package mutating func evolve(verifying entry: Entry) throws(Contradiction) {
        if entry.kind == .refusal { return try rememberRefusal(entry) }
        guard entry.sequence == sequence &+ 1 else { throw .sequence(expected: sequence &+ 1, found: entry.sequence) }
        guard entry.at >= lastAt else { throw .time }
        sequence = entry.sequence
        lastAt = entry.at
        switch entry.subject {
        case .nothing:
            try evolvePlain(entry)
        case .grant(let grant):
            guard entry.kind == .grant else { throw .detail }
            try add(grant, entry)
        case .change(let change):
            try evolve(change, entry)
        case .opening:
            guard entry.kind == .reserve || entry.kind == .charge, let terms = entry.terms else { throw .detail }
            try apply(entry)
            try open(entry, terms)
            if !governance.limits.isEmpty { count(entry, terms) }
        case .progress:
            try apply(entry)
            let place = try goOn(entry)
            if !governance.limits.isEmpty {
                // Whoever evolves entries of a book with limits looks up first what memory does not know.
                guard memory.reservations[place].hasTerms else { throw .unknownReservation(entry.reservation) }
                count(entry, memory.reservations[place].reservation.terms)
            }
        case .price(let version, let price):
            guard entry.kind == .price else { throw .detail }
            guard version == prices.nextVersion else { throw .price(version: version) }
            prices.add(price)
        case .refusal:
            throw .detail
        }
        guard entry.after == balance else { throw .balance }
        guard totals.isConserved else { throw .conservation }
    }

    /// Moves credits within the grants and the totals.
    private mutating func apply(_ entry: Entry) throws(Contradiction) {
        let consumedBefore = totals.consumed
        for move in entry.moves {
            try grantTable.apply(move, isRefund: entry.kind == .refund)
            guard let held = totals.held.checkedSum(move.held),
                let consumed = totals.consumed.checkedSum(move.consumed),
                let expired = totals.expired.checkedSum(move.expired)
            else { throw .conservation }
            totals.held = held
            totals.consumed = consumed
            totals.expired = expired
        }
        guard grantTable.overage.consumed >= grantTable.overage.paid else { throw .grant(Move.overageNumber) }
        totals.overage = grantTable.overage.total
        // Each column is a part of what the grants have, so the difference fits; `isConserved` proves it.
        totals.available =
            totals.granted &+ totals.overage &- totals.held &- totals.consumed &- totals.expired
        let consumed = totals.consumed - consumedBefore
        if consumed != 0 { usageTable.add(consumed, at: entry.at) }
    }

    private mutating func add(_ grant: Grant, _ entry: Entry) throws(Contradiction) {
        // A new grant moves nothing but what it pays at once of what is owed.
        let paid = min(grant.amount, overage.owed)
        guard entry.moves == (paid > 0 ? [Move(grant: grant.number, paid: paid)] : []),
            let granted = totals.granted.checkedSum(grant.amount)
        else { throw .newGrant(grant.number) }
        try grantTable.add(grant)
        totals.granted = granted
        try apply(entry)
        guard let key = entry.key else {
            guard grant.origin != .granted else { throw .detail }
            return
        }
        seen.insert(key.id)
        try memory.remember(
            key,
            .grant(grant.number, paid: paid, fingerprint: entry.fingerprint, at: entry.at, balance: entry.after),
            sequence: entry.sequence)
    }

    // MARK: - What governs the book

    private mutating func evolvePlain(_ entry: Entry) throws(Contradiction) {
        switch entry.kind {
        case .grantExpiry:
            try apply(entry)
        case .grantRevocation:
            guard entry.moves.count == 1 else { throw .detail }
            try apply(entry)
            try grantTable.revoke(entry.moves[0].grant, at: entry.at)
            try remember(plain: entry)
        case .note:
            guard entry.moves.isEmpty, let audit = entry.audit else { throw .detail }
            if audit.outcome == .refused { refusalNotes.noted(at: entry.at) }
            try remember(plain: entry)
        default:
            throw .detail
        }
    }

    private mutating func evolve(_ change: GovernanceChange, _ entry: Entry) throws(Contradiction) {
        guard entry.moves.isEmpty else { throw .detail }
        switch (entry.kind, change) {
        case (.setting, .aiEnabled), (.setting, .quality), (.window, .windows):
            governance.apply(change, at: entry.at)
        case (.setting, .limits):
            governance.apply(change, at: entry.at)
            governance.limits.recountHeld(openReservations())
        case (.subscription, .subscription):
            governance.apply(change, at: entry.at)
        case (.cycle, .subscription(let subscription, _, _, _)):
            // A cycle begins where the one before it ended: none is left out and none comes twice.
            guard let before = governance.subscription?.cycle,
                subscription?.cycle.map({ $0.start == before.end }) ?? true
            else { throw .detail }
            governance.apply(change, at: entry.at)
        default:
            throw .detail
        }
        try remember(plain: entry)
    }

    private mutating func remember(plain entry: Entry) throws(Contradiction) {
        guard let key = entry.key else { return }
        seen.insert(key.id)
        try memory.remember(
            key, .plain(entry.kind, fingerprint: entry.fingerprint, at: entry.at, amount: entry.amount, entry.after),
            sequence: entry.sequence)
    }

    /// Counts against the limits what an entry of a reservation charged and held.
    private mutating func count(_ entry: Entry, _ terms: ReservationTerms) {
        var consumed: Int64 = 0
        var held: Int64 = 0
        for move in entry.moves {
            consumed &+= move.consumed
            held &+= move.held
        }
        governance.limits.add(
            consumed: consumed, held: held, isRefund: entry.kind == .refund, feature: terms.feature,
            member: terms.actor)
        if let audit = entry.audit { governance.limits.noteWouldRefuse(audit.limits) }
    }

    // MARK: - Reservations

    private mutating func open(_ entry: Entry, _ terms: ReservationTerms) throws(Contradiction) {
        let id = entry.reservation
        guard entry.isKeyedByReservation, entry.progress.state == (entry.kind == .reserve ? .open : .committed) else {
            throw .detail
        }
        guard memory.reservations.find(id) == nil else { throw .reservationExists(id) }
        seen.insert(id)
        let place = memory.reservations.insert(id)
        memory.reservations[place].begin(entry, terms, isWhole: memory.isNew(id))
        memory.dropRefusal(of: StepKey(family: .opening, id: id))
        if entry.progress.state == .open {
            openReservationCount += 1
            holds.push(.init(expiresAt: entry.progress.expiresAt, id: id, slot: place))
        } else {
            memory.mayForget(reservation: id, sequence: entry.sequence)
        }
    }

    /// A later entry of a reservation. One that memory does not know was closed before the state was restored: what the
    /// entry says of it is kept, and its terms are recalled when somebody needs them.
    /// - Returns: its place.
    private mutating func goOn(_ entry: Entry) throws(Contradiction) -> Int {
        let id = entry.reservation
        let (state, expiresAt) = (entry.progress.state, entry.progress.expiresAt)
        let place: Int
        if let known = memory.reservations.find(id) {
            place = known
            try check(entry, memory.reservations[known].reservation.progress)
        } else {
            guard state != .open else { throw .unknownReservation(id) }
            place = memory.reservations.insert(id)
            memory.reservations[place].goOn(entry)
        }
        try remember(entry, place)
        let wasOpen = memory.reservations[place].reservation.progress.state == .open
        let expiredAt = memory.reservations[place].reservation.progress.expiresAt
        memory.reservations[place].goOn(entry)
        if wasOpen {
            if state != .open {
                openReservationCount -= 1
                holds.becameStale(in: memory.reservations)
            } else if expiresAt != expiredAt {
                holds.push(.init(expiresAt: expiresAt, id: id, slot: place))
                holds.becameStale(in: memory.reservations)
            }
        }
        if state != .open { memory.mayForget(reservation: id, sequence: entry.sequence) }
        return place
    }

    /// A state follows from the one before it, and what is held changes as the moves say.
    private func check(_ entry: Entry, _ before: ReservationProgress) throws(Contradiction) {
        let id = entry.reservation
        let after = entry.progress
        switch entry.kind {
        case .commit where before.state == .open || before.state == .expired:
            guard after.state == .committed else { throw .reservation(id) }
        case .partialCommit where before.state == .open, .extend where before.state == .open:
            guard after.state == .open else { throw .reservation(id) }
        case .release where before.state == .open:
            guard after.state == .released else { throw .reservation(id) }
        case .holdExpiry where before.state == .open:
            guard after.state == .expired else { throw .reservation(id) }
        case .refund:
            guard after.state == before.state else { throw .reservation(id) }
        default:
            throw .reservation(id)
        }
        let held = entry.moves.reduce(Int128(0)) { $0 + Int128($1.held) }
        guard after.exactHeld - before.exactHeld == held else { throw .reservation(id) }
    }

    private mutating func remember(_ entry: Entry, _ place: Int) throws(Contradiction) {
        guard let key = entry.key else { return }
        seen.insert(key.id)
        if entry.isKeyedByReservation {
            memory.reservations[place].closing = StepTrace(entry)
            memory.dropRefusal(of: key)
        } else {
            try memory.remember(
                key, .reservation(entry.reservation, StepTrace(entry)), sequence: entry.sequence)
        }
    }

    private mutating func rememberRefusal(_ entry: Entry) throws(Contradiction) {
        guard case .refusal(let refusal) = entry.subject, let key = entry.key, entry.sequence == 0, entry.moves.isEmpty
        else { throw .detail }
        seen.insert(key.id)
        memory.remember(refusal: refusal, of: entry, key: key, flushedBy: sequence + 1)
    }
}

extension ReservationProgress {
    /// What is held, of draws that may come from a damaged file.
    fileprivate var exactHeld: Int128 {
        draws.reduce(0) { $0 + Int128($1.held) }
    }
}

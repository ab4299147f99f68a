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

    /// The same for an entry of which nothing is known. After an error the state is of no more use.
    package mutating func evolve(verifying entry: Entry) throws(Contradiction) {
        if entry.kind == .refusal { return try rememberRefusal(entry) }
        guard entry.sequence == sequence &+ 1 else { throw .sequence(expected: sequence &+ 1, found: entry.sequence) }
        guard entry.at >= lastAt else { throw .time }
        sequence = entry.sequence
        lastAt = entry.at
        switch entry.detail {
        case .none:
            guard entry.kind == .grantExpiry else { throw .detail }
            try apply(entry)
        case .grant(let grant):
            guard entry.kind == .grant else { throw .detail }
            try add(grant, entry)
        case .opening(let terms, let progress):
            guard entry.kind == .reserve || entry.kind == .charge else { throw .detail }
            try apply(entry)
            try open(entry, terms, progress)
        case .progress(let progress, _):
            try apply(entry)
            try goOn(entry, progress)
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
        // Each column is a part of what the grants have, so the difference fits; `isConserved` proves it.
        totals.available = totals.granted &- totals.held &- totals.consumed &- totals.expired
        let consumed = totals.consumed - consumedBefore
        if consumed != 0 { usageTable.add(consumed, at: entry.at) }
    }

    private mutating func add(_ grant: Grant, _ entry: Entry) throws(Contradiction) {
        guard entry.moves.isEmpty, let granted = totals.granted.checkedSum(grant.amount) else {
            throw .newGrant(grant.number)
        }
        try grantTable.add(grant)
        totals.granted = granted
        totals.available += grant.amount
        guard let key = entry.key else { throw .detail }
        seen.insert(key.id)
        try memory.remember(
            key, .grant(grant.number, fingerprint: entry.fingerprint, at: entry.at, balance: entry.after),
            sequence: entry.sequence)
    }

    // MARK: - Reservations

    private mutating func open(
        _ entry: Entry, _ terms: ReservationTerms, _ progress: ReservationProgress
    ) throws(Contradiction) {
        let id = entry.reservation
        guard entry.isKeyedByReservation, progress.state == (entry.kind == .reserve ? .open : .committed) else {
            throw .detail
        }
        guard memory.reservations.find(id) == nil else { throw .reservationExists(id) }
        seen.insert(id)
        let place = memory.reservations.insert(
            Reservation(id: id, createdAt: entry.at, terms: terms, progress: progress))
        memory.reservations[place].isWhole = memory.isNew(id)
        memory.reservations[place].opening = StepTrace(entry, progress)
        memory.reservations[place].lastSequence = entry.sequence
        memory.dropRefusal(of: StepKey(family: .opening, id: id))
        if progress.state == .open {
            openReservationCount += 1
            holds.push(.init(expiresAt: progress.expiresAt, id: id, slot: place))
        } else {
            memory.mayForget(reservation: id, sequence: entry.sequence)
        }
    }

    /// A later entry of a reservation. One that memory does not know was closed before the state was restored: what the
    /// entry says of it is kept, and its terms are recalled when somebody needs them.
    private mutating func goOn(_ entry: Entry, _ progress: ReservationProgress) throws(Contradiction) {
        let id = entry.reservation
        let place: Int
        if let known = memory.reservations.find(id) {
            place = known
            try check(entry, memory.reservations[known].reservation.progress, progress)
        } else {
            guard progress.state != .open else { throw .unknownReservation(id) }
            place = memory.reservations.insert(id)
            memory.reservations[place].reservation.progress = progress
        }
        try remember(entry, progress, place)
        let before = memory.reservations[place].reservation.progress
        memory.reservations[place].reservation.progress = progress
        memory.reservations[place].lastSequence = entry.sequence
        if before.state == .open {
            if progress.state != .open {
                openReservationCount -= 1
                holds.becameStale(in: memory.reservations)
            } else if progress.expiresAt != before.expiresAt {
                holds.push(.init(expiresAt: progress.expiresAt, id: id, slot: place))
                holds.becameStale(in: memory.reservations)
            }
        }
        if progress.state != .open { memory.mayForget(reservation: id, sequence: entry.sequence) }
    }

    /// A state follows from the one before it, and what is held changes as the moves say.
    private func check(
        _ entry: Entry, _ before: ReservationProgress, _ after: ReservationProgress
    ) throws(Contradiction) {
        let id = entry.reservation
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

    private mutating func remember(
        _ entry: Entry, _ progress: ReservationProgress, _ place: Int
    ) throws(Contradiction) {
        guard let key = entry.key else { return }
        seen.insert(key.id)
        if entry.isKeyedByReservation {
            memory.reservations[place].closing = StepTrace(entry, progress)
            memory.dropRefusal(of: key)
        } else {
            try memory.remember(
                key, .reservation(entry.reservation, StepTrace(entry, progress)), sequence: entry.sequence)
        }
    }

    private mutating func rememberRefusal(_ entry: Entry) throws(Contradiction) {
        guard case .refusal(let refusal) = entry.detail, let key = entry.key, entry.sequence == 0, entry.moves.isEmpty
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

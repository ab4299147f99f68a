extension LedgerState {
    /// Decides what the step does, and does not do it: the state stays as it is until the entries are evolved.
    /// `settle(at: now)` has been called.
    /// - Parameter recalled: what `recall` asked for was looked up and adopted. False promises that it asked for nothing.
    package func decide(_ command: Command, at now: Instant, recalled: Bool = false) -> Decision {
        assert(recalled || recall(for: command) == nil, "a step is decided that memory does not know enough of")
        // Whether a step was done already comes before anything that could refuse it.
        if let first = replay(command) { return first }
        do throws(Refusal) {
            switch command {
            case .grant(let grant): return try decide(grant, at: now)
            case .reserve(let reserve): return try decide(reserve, .reserve, at: now)
            case .charge(let charge): return try decide(charge, .charge, at: now)
            case .commit(let commit): return try decide(commit, at: now)
            case .release(let release): return try decide(release, at: now)
            case .refund(let refund): return try decide(refund, at: now)
            case .extend(let extend): return try decide(extend, at: now)
            }
        } catch {
            return refuse(command, error, at: now)
        }
    }

    // MARK: - Replay and refusal

    /// The first answer, where the step was done before; nil where it is new.
    private func replay(_ command: Command) -> Decision? {
        guard let key = command.key, let step = known(key) else { return nil }
        if step.fingerprint == command.fingerprint {
            // The same contents name the same reservation, so it was recalled; one without terms is in no shard.
            guard let first = step.outcome else {
                return Decision(entries: [], outcome: .failure(.reservationNotFound), replayed: false)
            }
            return Decision(entries: [], outcome: first, replayed: true)
        }
        // A commit that goes by its reservation's id has no other id to take: after a refusal, other contents are the new try.
        if case .failure = step.outcome, case .commit(let commit) = command, commit.id == nil { return nil }
        return Decision(entries: [], outcome: .failure(.idReused), replayed: false)
    }

    private func refuse(_ command: Command, _ refusal: Refusal, at now: Instant) -> Decision {
        guard refusal.isRemembered, let key = command.key else {
            return Decision(entries: [], outcome: .failure(refusal), replayed: false)
        }
        let entry = Entry(
            sequence: 0, at: now, kind: .refusal, key: key, fingerprint: command.fingerprint,
            reservation: command.reservation ?? .zero, after: balance, detail: .refusal(refusal))
        return Decision(entries: [entry], outcome: .failure(refusal), replayed: false)
    }

    /// The decision to write `entry`, the step's own, after `before`.
    func done(_ entry: Entry, after before: Entry? = nil, of reservation: Reservation? = nil) -> Decision {
        guard
            let answer = StepAnswer.answer(
                for: entry, terms: reservation?.terms ?? .empty,
                createdAt: reservation?.createdAt ?? entry.at)
        else { preconditionFailure("a step without an answer") }
        return Decision(
            entries: before.map { [$0, entry] } ?? [entry], outcome: .success(answer), replayed: false)
    }

    // MARK: - Credits come in

    private func decide(_ command: GrantCommand, at now: Instant) throws(Refusal) -> Decision {
        precondition(command.amountMicros > 0, "a grant of nothing")
        if let expiresAt = command.expiresAt, expiresAt <= now { throw .expiryPassed }
        guard totals.granted.checkedSum(command.amountMicros) != nil, grants.count < Limits.maxGrants else {
            throw .overflow
        }
        let grant = Grant(
            number: UInt32(grants.count + 1), id: command.id, kind: command.kind, createdAt: now,
            expiresAt: command.expiresAt, comment: command.comment, amount: command.amountMicros)
        var entry = entry(
            .grant, at: now, key: StepKey(family: .grant, id: command.id), fingerprint: command.fingerprint,
            amount: command.amountMicros, detail: .grant(grant))
        entry.after.available += command.amountMicros
        entry.actor = command.actor
        return done(entry)
    }

    // MARK: - Reserve and charge

    private func decide(_ command: ReserveCommand, _ kind: EntryKind, at now: Instant) throws(Refusal) -> Decision {
        let price = try priced(command.ask, at: now)
        let amount = try affordable(
            price.amount, atLeast: kind == .reserve ? command.minimumMicros : nil)
        var drawing = Drawing()
        if kind == .reserve { drawing.hold(amount, grantTable) } else { drawing.charge(amount, grantTable) }
        guard drawing.draws.count <= Limits.maxDrawsPerReservation else { throw .overflow }
        let asked = command.ask.quantities
        let terms = ReservationTerms(
            feature: command.feature, actor: command.actor, comment: command.comment, labels: command.labels,
            quantities: asked?.quantities ?? [], quality: asked?.quality ?? .unspecified, priceVersion: price.version)
        let isOpen = kind == .reserve
        let progress = ReservationProgress(
            state: isOpen ? .open : .committed,
            expiresAt: isOpen ? now.advanced(microseconds: command.ttlMicroseconds) : now,
            closedAt: isOpen ? nil : now, draws: drawing.draws)
        let entry = entry(
            kind, at: now, key: StepKey(family: .opening, id: command.id), fingerprint: command.fingerprint,
            reservation: command.id, amount: amount, moves: drawing.moves, detail: .opening(terms, progress),
            skipping: price.entry == nil ? 0 : 1)
        return done(entry, after: price.entry)
    }

    /// What an opening step asks for in credits, and under which price; with the entry of a price that is new here.
    private struct Priced {
        var amount: Int64
        var version: UInt32 = 0
        var entry: Entry?
    }

    private func priced(_ ask: Ask, at now: Instant) throws(Refusal) -> Priced {
        switch ask {
        case .amount(let amount):
            precondition(amount >= 0, "less than nothing is asked for")
            return Priced(amount: amount)
        case .quantities(let quantities, let quality, let price):
            guard let price else { throw .price(.unknownFeature) }
            let amount = try cost(quantities, quality, price)
            if let version = prices.version(of: price) { return Priced(amount: amount, version: version) }
            let version = prices.nextVersion
            let entry = entry(.price, at: now, amount: 0, detail: .price(version: version, price))
            return Priced(amount: amount, version: version, entry: entry)
        }
    }

    func cost(_ quantities: [Quantity], _ quality: Quality, _ price: FeaturePrice) throws(Refusal) -> Int64 {
        do throws(PricingError) {
            return try price.cost(for: quantities, quality: quality)
        } catch {
            throw .price(error)
        }
    }

    /// The amount, or what is there of it where that is at least the minimum.
    private func affordable(_ amount: Int64, atLeast minimum: Int64?) throws(Refusal) -> Int64 {
        if amount <= totals.available { return amount }
        guard let minimum, minimum <= totals.available else {
            throw .insufficientCredits(
                neededMicros: min(amount, minimum ?? amount), availableMicros: totals.available)
        }
        return totals.available
    }
}

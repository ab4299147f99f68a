extension LedgerState {
    /// Decides what the step does, and does not do it: the state stays as it is until the entries are evolved.
    /// `settle(at: now)` has been called.
    /// - Parameter recalled: what `recall` asked for was looked up and adopted. False promises that it asked for nothing.
    package func decide(
        _ command: Command, at now: Instant, under rules: any BookRules = PlainRules.shared, recalled: Bool = false
    ) -> Decision {
        assert(recalled || recall(for: command) == nil, "a step is decided that memory does not know enough of")
        // Whether a step was done already comes before anything that could refuse it.
        if let first = replay(command) { return first }
        switch command {
        case .reserve(let reserve): return open(command, reserve, .reserve, at: now, under: rules)
        case .charge(let charge): return open(command, charge, .charge, at: now, under: rules)
        case .commit(let commit): return close(command, commit, at: now, under: rules)
        default: return decideOther(command, at: now, under: rules)
        }
    }

    // What is handed to a function that throws is copied out of its command first, which for the many commands is not cheap:
    // they are handed to functions that catch, away from all that throw.

    @inline(never)
    private func decideOther(_ command: Command, at now: Instant, under rules: any BookRules) -> Decision {
        do throws(Refusal) {
            switch command {
            case .grant(let grant): return try decide(grant, at: now)
            case .reserve, .charge, .commit: preconditionFailure("decided elsewhere")
            case .release(let release): return try decide(release, at: now)
            case .refund(let refund): return try decide(refund, at: now, under: rules)
            case .extend(let extend): return try decide(extend, at: now)
            case .subscribe(let change): return try decide(change, at: now, under: rules)
            case .set(let setting): return try decide(setting, at: now, under: rules)
            case .revoke(let revoke): return try decide(revoke, at: now)
            case .note(let note): return decide(note, at: now)
            }
        } catch {
            return refuse(command, error, at: now)
        }
    }

    @inline(never)
    private func open(
        _ command: Command, _ reserve: ReserveCommand, _ kind: EntryKind, at now: Instant, under rules: any BookRules
    ) -> Decision {
        do throws(Refusal) {
            return try decide(reserve, kind, at: now, under: rules)
        } catch {
            return refuse(command, error, at: now)
        }
    }

    @inline(never)
    private func close(
        _ command: Command, _ commit: CommitCommand, at now: Instant, under rules: any BookRules
    ) -> Decision {
        do throws(Refusal) {
            return try decide(commit, at: now, under: rules)
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
        var decision = Decision(entries: [entry], outcome: .failure(refusal), replayed: false)
        if let audited = command.audited {
            if refusalNotes.mayNote(at: now) {
                decision.entries.append(noteEntry(of: refusal, audited, at: now))
            } else {
                decision.isLeftOut = true
            }
        }
        return decision
    }

    /// The decision to write `entry`, the step's own, after `before`.
    func done(_ entry: Entry, after before: [Entry] = [], of reservation: Reservation? = nil) -> Decision {
        guard
            let answer = StepAnswer.answer(
                for: entry, terms: reservation?.terms ?? .empty,
                createdAt: reservation?.createdAt ?? entry.at)
        else { preconditionFailure("a step without an answer") }
        return Decision(
            entries: before.isEmpty ? Few(entry) : Few(before + [entry]), outcome: .success(answer), replayed: false)
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
        var run = EntryRun(after: self, at: now)
        run.add(grant)
        var entry = run.entries[0]
        entry.key = StepKey(family: .grant, id: command.id)
        entry.fingerprint = command.fingerprint
        entry.actor = command.actor
        entry.audit = command.origin.map {
            AuditNote(
                origin: $0, method: "tollgate.v1.Admin/GrantCredits", target: grant.id.description,
                after: AuditText.grant(grant), reason: command.comment)
        }
        return done(entry)
    }

    // MARK: - Reserve and charge

    private func decide(
        _ command: ReserveCommand, _ kind: EntryKind, at now: Instant, under rules: any BookRules
    ) throws(Refusal) -> Decision {
        guard governance.isAIEnabled else { throw .aiDisabled }
        let quality = quality(of: command.ask, feature: command.feature)
        let price = try priced(command.ask, quality, at: now)
        let minimum = kind == .reserve ? command.minimumMicros : nil
        var limits = limitCheck(
            of: price.amount, needed: minimum.map { min($0, price.amount) }, feature: command.feature,
            member: command.actor, at: now)
        let amount = try affordable(price.amount, atLeast: minimum, limits)
        // What is held instead of all that was asked may be within a limit on trial.
        if amount < price.amount, limits.hasShadows {
            limits = limitCheck(of: amount, feature: command.feature, member: command.actor, at: now)
        }
        var drawing = Drawing()
        if kind == .reserve {
            drawing.hold(amount, grantTable, available: totals.available)
        } else {
            drawing.charge(amount, grantTable, available: totals.available)
        }
        guard drawing.draws.count <= Limits.maxDrawsPerReservation else { throw .overflow }
        let terms = ReservationTerms(
            feature: command.feature, actor: command.actor, comment: command.comment, labels: command.labels,
            quantities: command.ask.quantities, quality: quality, priceVersion: price.version)
        let isOpen = kind == .reserve
        let progress = ReservationProgress(
            state: isOpen ? .open : .committed,
            expiresAt: isOpen ? now.advanced(microseconds: command.ttlMicroseconds) : now,
            closedAt: isOpen ? nil : now, draws: drawing.draws)
        var before = windowEntries(at: now, under: rules)
        if var entry = price.entry {
            entry.sequence += UInt64(before.count)
            before.append(entry)
        }
        let entry = entry(
            kind, at: now, key: StepKey(family: .opening, id: command.id), fingerprint: command.fingerprint,
            of: command.id, amount: amount, moves: drawing.moves,
            audit: limits.hasShadows ? limits.note(for: kind == .reserve ? .reserve(command) : .charge(command)) : nil,
            subject: .opening, terms: terms, progress: progress, skipping: before.count)
        return done(entry, after: before)
    }

    /// What names no quality is asked at the tenant's.
    func quality(of ask: Ask, feature: String) -> Quality {
        if governance.qualities.isEmpty { return ask.quality }
        guard case .quantities(_, .unspecified, _) = ask else { return ask.quality }
        return governance.qualities[feature] ?? .unspecified
    }

    /// What an opening step asks for in credits, and under which price; with the entry of a price that is new here.
    private struct Priced {
        var amount: Int64
        var version: UInt32 = 0
        var entry: Entry?
    }

    private func priced(_ ask: Ask, _ quality: Quality, at now: Instant) throws(Refusal) -> Priced {
        switch ask {
        case .amount(let amount):
            precondition(amount >= 0, "less than nothing is asked for")
            return Priced(amount: amount)
        case .quantities(let quantities, _, let schedule):
            guard let schedule else { throw .price(quantities.isEmpty ? .noQuantities : .unknownFeature) }
            let price = schedule.price(at: now)
            let amount = try cost(quantities, quality, price)
            if let version = prices.version(of: price) { return Priced(amount: amount, version: version) }
            let version = prices.nextVersion
            let entry = entry(.price, at: now, amount: 0, detail: .price(version: version, price))
            return Priced(amount: amount, version: version, entry: entry)
        }
    }

    func cost(
        _ quantities: [Quantity], _ quality: Quality, _ price: FeaturePrice, isPartial: Bool = false
    ) throws(Refusal) -> Int64 {
        do throws(PricingError) {
            return try price.cost(for: quantities, quality: quality, isPartial: isPartial)
        } catch {
            throw .price(error)
        }
    }

    /// The amount, or what credits and limits leave of it where that is at least the minimum.
    private func affordable(
        _ amount: Int64, atLeast minimum: Int64?, _ limits: borrowing LimitCheck
    ) throws(Refusal) -> Int64 {
        if let reached = limits.reached { throw .hardLimitReached(reached) }
        let affordable = totals.available + overageRoom
        let needed = min(amount, minimum ?? amount)
        guard needed <= affordable else {
            throw .insufficientCredits(neededMicros: needed, availableMicros: affordable)
        }
        return min(amount, affordable, limits.room)
    }
}

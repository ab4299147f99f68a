/// Plans, how subscriptions stand, and cycles. The rules are told in `ARCHITECTURE.md`, "Plans, limits and the audit trail".
extension LedgerState {
    // MARK: - Cycles turn

    /// Ends the running cycle at its end and begins the next. All that ends up to that moment has ended.
    mutating func turnCycle(at end: Instant, under rules: any BookRules, _ entries: inout [Entry]) {
        guard let ended = governance.subscription, let cycle = ended.cycle else { return }
        let next = successor(of: ended, at: end, under: rules)
        var run = EntryRun(after: self, at: max(end, lastAt))
        let isChanged = next?.terms.name != ended.terms.name || next?.state != ended.state
        run.add(
            .cycle, detail: .change(change(to: next, hasTried: governance.hasTried)),
            audit: isChanged
                ? AuditNote(
                    origin: CallOrigin(keyID: ""), method: "cycle", before: AuditText.subscription(ended),
                    after: AuditText.subscription(next)) : nil)
        if ended.terms.overage?.isBilled ?? false {
            run.grant(.purchased, overage.owed, expiresAt: nil, .billedOverage)
        }
        if let next, let newCycle = next.cycle {
            if !cycle.isTrial { rollOver(from: cycle, into: next, newCycle, under: rules, &run) }
            grantAllowance(next, newCycle, &run)
        }
        for entry in run.entries { evolve(entry) }
        entries.append(contentsOf: run.entries)
    }

    /// The subscription as the next cycle begins; nil where the plan ends.
    private func successor(
        of ended: Subscription, at end: Instant, under rules: any BookRules
    ) -> Subscription? {
        var next = ended
        next.state = ended.stateAfterCycle
        if let plan = ended.nextPlan {
            if plan.isEmpty { return nil }
            next.terms = rules.terms(of: plan, at: end) ?? ended.terms
        } else if next.state != .grandfathered {
            next.terms = rules.terms(of: ended.terms.name, at: end) ?? ended.terms
        }
        next.nextPlan = nil
        next.nextState = nil
        next.cycle = nil
        beginCycle(of: &next, at: end, under: rules)
        return next
    }

    /// Gives the subscription the cycle that begins at `start`, where its plan has cycles.
    private func beginCycle(
        of subscription: inout Subscription, at start: Instant, zone: String? = nil, under rules: any BookRules
    ) {
        guard let kind = subscription.terms.cycle else { return }
        let zone = zone ?? governance.zone
        if subscription.anchorDay == 0 {
            subscription.anchorDay = UInt8(CivilDate(start, zone: zone, rules).parts.day)
        }
        subscription.cycle = .init(
            start: start, end: kind.boundary(after: start, anchorDay: subscription.anchorDay, zone: zone, rules),
            allowanceMicros: subscription.allowanceMicros, grantsBefore: UInt32(grants.count), isTrial: false)
    }

    private func grantAllowance(_ subscription: Subscription, _ cycle: Subscription.Cycle, _ run: inout EntryRun) {
        guard let allowance = subscription.terms.allowance else { return }
        run.grant(allowance.kind, subscription.allowanceMicros, expiresAt: cycle.end, .allowance)
    }

    /// What expired of the ended cycle's allowance goes on, as far as the plan lets it.
    private func rollOver(
        from ended: Subscription.Cycle, into next: Subscription, _ cycle: Subscription.Cycle,
        under rules: any BookRules, _ run: inout EntryRun
    ) {
        guard let rollover = next.terms.rollover, let kind = next.terms.cycle else { return }
        let left = grants(of: ended).reduce(0) { $0 + ($1.revokedAt == nil ? $1.expired : 0) }
        let amount = min(left, rollover.maximumMicros)
        guard amount > 0, amount >= rollover.minimumMicros else { return }
        var expiresAt = rollover.expiresAfterCycles.map { _ in cycle.end }
        for _ in 1..<max(1, rollover.expiresAfterCycles ?? 1) {
            expiresAt = expiresAt.map {
                kind.boundary(after: $0, anchorDay: next.anchorDay, zone: governance.zone, rules)
            }
        }
        run.grant(next.terms.allowance?.kind ?? .subscription, amount, expiresAt: expiresAt, .rollover)
    }

    /// What a cycle has granted of its allowance.
    private func grants(of cycle: Subscription.Cycle) -> [Grant] {
        grants.dropFirst(Int(cycle.grantsBefore)).filter(\.origin.isOfCycle)
    }

    private func change(
        to subscription: Subscription?, zone: String? = nil, hasTried: Bool
    ) -> GovernanceChange {
        .subscription(subscription, zone: zone ?? governance.zone, hasSignedUp: true, hasTried: hasTried)
    }

    // MARK: - Someone changes the plan, the state or the zone

    func decide(
        _ command: SubscriptionCommand, at now: Instant, under rules: any BookRules
    ) throws(Refusal) -> Decision {
        let zone = command.zone ?? governance.zone
        let before = governance.subscription
        var grants = GrantsOfChange()
        let after =
            command.isAtCycleEnd
            ? try putOff(command, at: now, under: rules)
            : try changed(command, at: now, zone: zone, under: rules, &grants)
        guard after != before || zone != governance.zone else { return unchanged(.subscription, at: now) }

        var run = EntryRun(after: self, at: now)
        for grant in grants.revoked { run.revoke(grant) }
        let signsUp = after != nil && !governance.hasSignedUp
        let isTried = governance.hasTried || after?.cycle?.isTrial ?? false
        run.add(
            .subscription, key: command.id.map { StepKey(family: .subscription, id: $0) },
            detail: .change(
                .subscription(
                    after, zone: zone, hasSignedUp: governance.hasSignedUp || signsUp, hasTried: isTried)),
            audit: command.origin.map {
                AuditNote(
                    origin: $0, method: command.method, target: after?.terms.name ?? "",
                    before: AuditText.subscription(before, zone: governance.zone),
                    after: AuditText.subscription(after, zone: zone), reason: command.reason)
            })
        let entry = run.entries[run.entries.count - 1]
        if signsUp, let after {
            for credits in after.terms.signUp {
                let expiresAt = credits.expiresAfterDays.map { now.advanced(days: $0) }
                run.grant(credits.kind, credits.amountMicros, expiresAt: expiresAt, .signUp)
            }
        }
        if let new = grants.new, let cycle = after?.cycle {
            run.grant(new.kind, new.amount, expiresAt: cycle.end, new.origin)
        }
        guard let answer = StepAnswer.answer(for: entry, opening: nil) else {
            preconditionFailure("a change of a subscription without an answer")
        }
        return Decision(entries: Few(run.entries), outcome: .success(answer), replayed: false)
    }

    /// What a change takes from and gives to the running cycle.
    private struct GrantsOfChange {
        var revoked: [Grant] = []
        var new: (kind: GrantKind, amount: Int64, origin: GrantOrigin)?

        mutating func allowance(of subscription: Subscription) {
            guard let allowance = subscription.terms.allowance else { return }
            new = (allowance.kind, subscription.allowanceMicros, .allowance)
        }
    }

    /// What changes at the running cycle's end; what stays is not noted.
    private func putOff(
        _ command: SubscriptionCommand, at now: Instant, under rules: any BookRules
    ) throws(Refusal) -> Subscription? {
        guard var next = governance.subscription, next.cycle != nil else { throw .noCycle }
        if let plan = command.plan {
            guard plan.isEmpty || rules.terms(of: plan, at: now) != nil else { throw .planNotFound }
            next.nextPlan = plan == next.terms.name ? nil : plan
        }
        if let state = command.state { next.nextState = state == next.state ? nil : state }
        return next
    }

    private func changed(
        _ command: SubscriptionCommand, at now: Instant, zone: String, under rules: any BookRules,
        _ grants: inout GrantsOfChange
    ) throws(Refusal) -> Subscription? {
        guard var next = governance.subscription else {
            guard let plan = command.plan, !plan.isEmpty else {
                if command.state != nil { throw .noSubscription }
                return nil
            }
            return try begun(plan, command.state, at: now, zone: zone, under: rules, &grants)
        }
        var isChanged = false
        if let plan = command.plan {
            next.nextPlan = nil
            if plan.isEmpty {
                if command.allowance == .replace, let cycle = next.cycle { revoke(cycle, &grants) }
                return nil
            }
            if plan != next.terms.name {
                guard let terms = rules.terms(of: plan, at: now) else { throw .planNotFound }
                next.terms = terms
                isChanged = true
            }
        }
        let before = next.state
        if let state = command.state {
            next.nextState = nil
            isChanged = isChanged || state != before
            next.state = state
        }
        guard isChanged else { return next }
        if let cycle = next.cycle, !cycle.isTrial || next.state == .trial {
            if !cycle.isTrial { apply(command.allowance, to: &next, cycle, &grants) }
        } else {
            // The trial ends here, or the plan before had no cycles.
            next.cycle = nil
            beginCycle(of: &next, at: now, zone: zone, under: rules)
            grants.allowance(of: next)
        }
        return next
    }

    /// A tenant without a plan takes one.
    private func begun(
        _ plan: String, _ state: SubscriptionState?, at now: Instant, zone: String, under rules: any BookRules,
        _ grants: inout GrantsOfChange
    ) throws(Refusal) -> Subscription {
        guard let terms = rules.terms(of: plan, at: now) else { throw .planNotFound }
        var next = Subscription(terms: terms, state: state ?? .active)
        if let trial = terms.trial, state == nil, !governance.hasTried {
            next.state = .trial
            next.cycle = .init(
                start: now, end: now.advanced(days: trial.days), allowanceMicros: trial.amountMicros,
                grantsBefore: UInt32(self.grants.count), isTrial: true)
            grants.new = (.complimentary, trial.amountMicros, .trial)
        } else {
            beginCycle(of: &next, at: now, zone: zone, under: rules)
            grants.allowance(of: next)
        }
        return next
    }

    /// What the rule makes of the running cycle's allowance under the new plan and state.
    private func apply(
        _ rule: SubscriptionCommand.AllowanceRule, to next: inout Subscription, _ cycle: Subscription.Cycle,
        _ grants: inout GrantsOfChange
    ) {
        let allowance = next.allowanceMicros
        let kind = next.terms.allowance?.kind ?? .subscription
        switch rule {
        case .keep:
            return
        case .topUp:
            let granted = self.grants(of: cycle).reduce(0) { $0 + $1.amount }
            grants.new = (kind, max(0, allowance - granted), .topUp)
        case .replace:
            revoke(cycle, &grants)
            grants.new = (kind, allowance, .allowance)
        }
        next.cycle?.allowanceMicros = allowance
    }

    private func revoke(_ cycle: Subscription.Cycle, _ grants: inout GrantsOfChange) {
        grants.revoked = self.grants(of: cycle).filter { $0.revokedAt == nil }
    }

    /// The answer to a change that changes nothing.
    func unchanged(_ kind: EntryKind, at now: Instant) -> Decision {
        Decision(
            entries: [], outcome: .success(StepAnswer(kind: kind, at: now, amount: 0, balance: balance)),
            replayed: false)
    }
}

extension Instant {
    /// So many days of 24 hours later.
    func advanced(days: Int64) -> Instant {
        let (interval, overflow) = days.multipliedReportingOverflow(by: CivilDate.microseconds)
        return overflow ? .distantFuture : advanced(microseconds: interval)
    }
}

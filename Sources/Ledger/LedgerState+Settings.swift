/// Settings, grants that are taken back, and notes for the audit trail.
extension LedgerState {
    // MARK: - Settings

    func decide(
        _ command: SettingCommand, at now: Instant, under rules: any BookRules
    ) throws(Refusal) -> Decision {
        switch command.change {
        case .aiEnabled(let isEnabled):
            guard isEnabled != governance.isAIEnabled else { return unchanged(.setting, at: now) }
            return done(
                command, .aiEnabled(isEnabled), target: "ai_enabled", before: AuditText.flag(governance.isAIEnabled),
                after: AuditText.flag(isEnabled), at: now)
        case .quality(let feature, let quality):
            let before = governance.qualities[feature] ?? .unspecified
            guard quality != before else { return unchanged(.setting, at: now) }
            return done(
                command, .quality(feature: feature, quality), target: feature, before: AuditText.quality(before),
                after: AuditText.quality(quality), at: now)
        case .limits(let limits, let zone, let used):
            return decide(command, limits, zone: zone, used: used, at: now, under: rules)
        }
    }

    private func done(
        _ command: SettingCommand, _ change: GovernanceChange, target: String, before: String, after: String,
        at now: Instant, first: [Entry] = []
    ) -> Decision {
        var entry = entry(.setting, at: now, amount: 0, detail: .change(change), skipping: first.count)
        entry.audit = command.origin.map {
            AuditNote(
                origin: $0, method: command.method, target: target, before: before, after: after,
                reason: command.reason)
        }
        return done(entry, after: first)
    }

    private func decide(
        _ command: SettingCommand, _ limits: [UsageLimit], zone: String, used: [Int64], at now: Instant,
        under rules: any BookRules
    ) -> Decision {
        let before = governance.limits.items
        let limits = limits.sorted { $0.precedes($1) }
        guard limits != before.map(\.limit) else { return unchanged(.setting, at: now) }

        // A tenant without a plan counts by the zone that the directory has for it.
        var first: [Entry] = []
        let zone = governance.subscription == nil ? zone : governance.zone
        if zone != governance.zone {
            let change = GovernanceChange.subscription(
                nil, zone: zone, hasSignedUp: governance.hasSignedUp, hasTried: governance.hasTried)
            first.append(entry(.subscription, at: now, amount: 0, detail: .change(change)))
        }
        var new = used.makeIterator()
        let items = limits.map { limit in
            guard let known = before.first(where: { $0.limit.isSame(as: limit) }) else {
                return LimitTable.Item(limit: limit, consumed: new.next() ?? 0)
            }
            guard isRunning(limit.window, at: now) else { return LimitTable.Item(limit: limit) }
            return LimitTable.Item(
                limit: limit, consumed: known.consumed, wouldHaveRefused: known.wouldHaveRefused)
        }
        return done(
            command, .limits(items, windows(for: limits, at: now, zone: zone, under: rules)), target: "limits",
            before: AuditText.limits(before.map(\.limit)), after: AuditText.limits(limits), at: now, first: first)
    }

    /// The windows that these limits count over now.
    private func windows(
        for limits: [UsageLimit], at now: Instant, zone: String, under rules: any BookRules
    ) -> LimitWindows {
        // Of one that no limit needs now it stays known where it began: a later one may not begin before that.
        func span(_ window: LimitWindow, _ known: LimitWindows.Span?) -> LimitWindows.Span? {
            guard limits.contains(where: { $0.window == window }) else {
                return known.map { LimitWindows.Span(start: $0.start, end: $0.start) }
            }
            return currentSpan(of: window, at: now, zone: zone, under: rules)
        }
        let known = governance.limits.windows
        return LimitWindows(
            day: span(.day, known.day), week: span(.week, known.week),
            month: governance.subscription?.cycle == nil ? span(.cycle, known.month) : known.month)
    }

    /// A limit of which it is not known what was used since its window began.
    package struct NewLimit: Equatable, Sendable {
        package var limit: UsageLimit
        package var since: Instant

        package init(limit: UsageLimit, since: Instant) {
            self.limit = limit
            self.since = since
        }
    }

    /// Those of `limits` that are new, in the order in which their use goes into the command: what was used of each since
    /// its window began has to be looked up.
    package func newLimits(
        _ limits: [UsageLimit], zone: String, at now: Instant, under rules: any BookRules
    ) -> [NewLimit] {
        let zone = governance.subscription == nil ? zone : governance.zone
        return limits.sorted { $0.precedes($1) }.filter { limit in
            !governance.limits.items.contains { $0.limit.isSame(as: limit) }
        }.map { limit in
            NewLimit(limit: limit, since: currentSpan(of: limit.window, at: now, zone: zone, under: rules).start)
        }
    }

    // MARK: - Grants that are taken back

    func decide(_ command: RevokeCommand, at now: Instant) throws(Refusal) -> Decision {
        guard let grant = grants.first(where: { $0.id == command.grant }) else { throw .grantNotFound }
        if grant.revokedAt != nil { return unchanged(.grantRevocation, at: now) }
        var run = EntryRun(after: self, at: now)
        run.revoke(
            grant, key: StepKey(family: .grantRevocation, id: command.grant), comment: command.reason,
            audit: command.origin.map {
                var after = grant
                after.expired += after.available
                after.available = 0
                return AuditNote(
                    origin: $0, method: "tollgate.v1.Admin/RevokeGrant", target: grant.id.description,
                    before: AuditText.grant(grant), after: AuditText.grant(after), reason: command.reason)
            })
        return done(run.entries[0])
    }

    // MARK: - Notes

    func decide(_ command: NoteCommand, at now: Instant) -> Decision {
        let note = command.note
        guard note.outcome == .refused else {
            var entry = entry(
                .note, at: now, key: command.id.map { StepKey(family: .note, id: $0) }, amount: 0)
            entry.audit = note
            return done(entry)
        }
        guard refusalNotes.mayNote(at: now) else {
            var decision = unchanged(.note, at: now)
            decision.isLeftOut = true
            return decision
        }
        var entry = entry(.note, at: now, amount: 0)
        entry.audit = note.telling(leftOut: refusalNotes.leftOut)
        return done(entry)
    }

    /// What the audit trail says of a step that was refused.
    func noteEntry(
        of refusal: Refusal, _ audited: (origin: CallOrigin, method: String, target: String), at now: Instant
    ) -> Entry {
        var entry = entry(.note, at: now, amount: 0)
        entry.audit = AuditNote(
            origin: audited.origin, method: audited.method, target: audited.target, after: AuditText.refusal(refusal),
            outcome: .refused, refusal: refusal.reason, notNoted: refusalNotes.leftOut)
        return entry
    }

    /// A decision said that its refusal is only counted.
    package mutating func leaveOut() {
        refusalNotes.leaveOut()
    }
}

extension AuditNote {
    fileprivate func telling(leftOut: UInt32) -> AuditNote {
        AuditNote(
            origin: origin, method: method, target: target, before: before, after: after, reason: reason,
            outcome: outcome, refusal: refusal, notNoted: leftOut, limits: limits)
    }
}

extension Refusal {
    /// As in `google.rpc.ErrorInfo`, of those that the audit trail notes.
    fileprivate var reason: String {
        switch self {
        case .insufficientCredits: "INSUFFICIENT_CREDITS"
        case .aiDisabled: "AI_DISABLED"
        case .hardLimitReached: "HARD_LIMIT_REACHED"
        default: ""
        }
    }
}

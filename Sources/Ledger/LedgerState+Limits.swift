/// What limits say of a step that would use more.
struct LimitCheck: ~Copyable {
    /// The first enforced limit that refuses the step: it leaves less than what the step needs at least.
    var reached: LimitReached?
    /// What the enforced limits leave.
    var room: Int64 = .max
    /// Those on trial that it would exceed, and the first of them.
    var shadows: [UInt16] = []
    var firstShadow: LimitReached?

    var hasShadows: Bool { !shadows.isEmpty }

    /// What the audit trail is to know of limits on trial; nil where nothing.
    func note(for command: Command) -> AuditNote? {
        guard let firstShadow else { return nil }
        let audited = command.audited
        return AuditNote(
            origin: audited?.origin ?? CallOrigin(keyID: ""), method: audited?.method ?? "",
            target: audited?.target ?? "", after: AuditText.limit(firstShadow), outcome: .wouldRefuse,
            refusal: "HARD_LIMIT_REACHED", limits: shadows)
    }
}

/// How a limit stands.
package struct LimitReading: Sendable {
    package var limit: UsageLimit
    package var consumed: Int64
    package var held: Int64
    /// Nil where it is not in force.
    package var softMicros: Int64?
    package var hardMicros: Int64?
    package var window: LimitWindows.Span
    package var wouldHaveRefused: Int64

    /// Holds and charges that fit 64 bits each, added up as far as 64 bits go.
    package var used: Int64 {
        let (sum, overflow) = consumed.addingReportingOverflow(held)
        return overflow ? .max : sum
    }

    package var isSoftReached: Bool { softMicros.map { used >= $0 } ?? false }
    package var isHardReached: Bool { hardMicros.map { used >= $0 } ?? false }
}

extension LedgerState {
    /// How far use may still go on past zero.
    package var overageRoom: Int64 {
        let cap = governance.overageCapMicros
        guard cap > 0 else { return 0 }
        // Never so much that it and what is available do not fit 64 bits together.
        return min(max(0, cap - overage.total), Int64.max - totals.available)
    }

    /// What the limits say of `amount` more for the feature and the member.
    /// - Parameter needed: what the step needs of it at least; all where it is nil.
    func limitCheck(
        of amount: Int64, needed: Int64? = nil, feature: String, member: String, at now: Instant
    ) -> LimitCheck {
        let needed = needed ?? amount
        var check = LimitCheck()
        if governance.limits.isEmpty { return check }
        governance.limits.forEachMatch(feature: feature, member: member) { place in
            let item = governance.limits.items[place]
            guard let hard = micros(of: item.limit.hard) else { return }
            let consumed = isRunning(item.limit.window, at: now) ? item.consumed : 0
            let (used, isHuge) = consumed.addingReportingOverflow(item.held)
            let room = isHuge ? 0 : max(0, hard.subtractingReportingOverflow(used).partialValue)
            if item.limit.isEnforced { check.room = min(check.room, room) }
            guard item.limit.isEnforced ? needed > room && check.reached == nil : amount > room else { return }
            let reached = LimitReached(
                scope: item.limit.scope, window: item.limit.window, member: item.limit.member,
                feature: item.limit.feature, hardMicros: hard, usedMicros: isHuge ? .max : used,
                neededMicros: item.limit.isEnforced ? needed : amount)
            if item.limit.isEnforced {
                check.reached = reached
            } else {
                check.shadows.append(UInt16(place))
                check.firstShadow = check.firstShadow ?? reached
            }
        }
        return check
    }

    /// Why a reserve of `amount` would be refused now; nil where it would not.
    package func refusal(of amount: Int64, feature: String, member: String, at now: Instant) -> Refusal? {
        guard governance.isAIEnabled else { return .aiDisabled }
        let limits = limitCheck(of: amount, feature: feature, member: member, at: now)
        if let reached = limits.reached { return .hardLimitReached(reached) }
        let affordable = totals.available + overageRoom
        return amount <= affordable ? nil : .insufficientCredits(neededMicros: amount, availableMicros: affordable)
    }

    /// A part in percent is one of the running cycle's allowance, rounded down; nil where it is not in force.
    private func micros(of bound: LimitBound) -> Int64? {
        switch bound {
        case .none: return nil
        case .micros(let micros): return micros
        case .percent(let percent):
            guard let allowance = governance.subscription?.cycle?.allowanceMicros, allowance > 0 else { return nil }
            return Int64(clamping: Int128(allowance) * Int128(percent) / 100)
        }
    }

    // MARK: - Windows

    /// What stands against limits of this window counts at `now`.
    func isRunning(_ window: LimitWindow, at now: Instant) -> Bool {
        span(of: window).map { now < $0.end } ?? false
    }

    private func span(of window: LimitWindow) -> LimitWindows.Span? {
        let windows = governance.limits.windows
        switch window {
        case .day: return windows.day
        case .week: return windows.week
        case .cycle:
            if let cycle = governance.subscription?.cycle { return .init(start: cycle.start, end: cycle.end) }
            return windows.month
        }
    }

    /// The span of a window that limits of that kind count over at `now`.
    func currentSpan(
        of window: LimitWindow, at now: Instant, zone: String, under rules: any BookRules
    ) -> LimitWindows.Span {
        let before = span(of: window)
        if let before, now < before.end { return before }
        // A window never begins before the one before it has ended: a month whose first days belonged to a cycle is shorter.
        var span = LimitWindows.Span.containing(now, window, zone: zone, rules)
        if let before { span.start = max(span.start, before.end) }
        return span
    }

    /// The entry that begins anew the windows that have ended, none where all run that some limit needs. Only a step that
    /// changes what counts against limits writes it: a tenant that does nothing has no entries for its days.
    func windowEntries(at now: Instant, under rules: any BookRules) -> [Entry] {
        if governance.limits.isEmpty { return [] }
        var ended = LimitWindows()
        for window in LimitWindow.allCases where governance.limits.has(window) && !isRunning(window, at: now) {
            let span = currentSpan(of: window, at: now, zone: governance.zone, under: rules)
            switch window {
            case .day: ended.day = span
            case .week: ended.week = span
            case .cycle: ended.month = span
            }
        }
        if ended == LimitWindows() { return [] }
        return [entry(.window, at: now, amount: 0, detail: .change(.windows(ended)))]
    }

    /// The limits as they stand at `now`, all of them or those of one scope, in the order in which they are asked.
    package func limitReadings(
        of scope: LimitScope? = nil, at now: Instant, under rules: any BookRules
    ) -> [LimitReading] {
        governance.limits.items.filter { scope == nil || $0.limit.scope == scope }.map { item in
            let isRunning = self.isRunning(item.limit.window, at: now)
            return LimitReading(
                limit: item.limit, consumed: isRunning ? item.consumed : 0, held: item.held,
                softMicros: micros(of: item.limit.soft), hardMicros: micros(of: item.limit.hard),
                window: currentSpan(of: item.limit.window, at: now, zone: governance.zone, under: rules),
                wouldHaveRefused: isRunning ? item.wouldHaveRefused : 0)
        }
    }
}

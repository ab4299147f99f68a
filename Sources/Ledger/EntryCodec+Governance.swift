/// How the codec writes and reads what governs a book: changes of it, and notes for the audit trail.
extension EntryCodec {
    // MARK: - Audit notes

    static func append(_ audit: AuditNote, to bytes: inout ByteWriter) {
        bytes.append(audit.outcome.rawValue)
        bytes.append(audit.origin.keyID)
        bytes.append(audit.origin.actor)
        bytes.append(audit.origin.address)
        bytes.append(audit.origin.forwardedFor)
        bytes.append(audit.method)
        bytes.append(audit.target)
        bytes.append(audit.before)
        bytes.append(audit.after)
        bytes.append(audit.reason)
        bytes.append(audit.refusal)
        bytes.appendVarint(UInt64(audit.notNoted))
        bytes.appendVarint(UInt64(audit.limits.count))
        for limit in audit.limits { bytes.appendVarint(UInt64(limit)) }
    }

    private static let auditTexts = 10

    static func audit(_ reader: inout ByteReader) throws(CodecError) -> AuditNote {
        guard let outcome = AuditNote.Outcome(rawValue: try reader.byte()) else { throw .invalid(field: .audit) }
        let keyID = try reader.text()
        let actor = try reader.text()
        let address = try reader.text()
        let origin = CallOrigin(keyID: keyID, actor: actor, address: address, forwardedFor: try reader.text())
        let method = try reader.text()
        let target = try reader.text()
        let before = try reader.text()
        let after = try reader.text()
        let reason = try reader.text()
        let refusal = try reader.text()
        let notNoted = try reader.number()
        var limits: [UInt16] = []
        for _ in 0..<(try reader.count(ofAtLeast: 1)) {
            guard let limit = UInt16(exactly: try reader.varint()) else { throw .invalid(field: .audit) }
            limits.append(limit)
        }
        return AuditNote(
            origin: origin, method: method, target: target, before: before, after: after, reason: reason,
            outcome: outcome, refusal: refusal, notNoted: notNoted, limits: limits)
    }

    static func skipAudit(_ reader: inout ByteReader) throws(CodecError) {
        _ = try reader.byte()
        for _ in 0..<auditTexts { _ = try reader.textBytes() }
        _ = try reader.number()
        for _ in 0..<(try reader.count(ofAtLeast: 1)) { _ = try reader.varint() }
    }

    // MARK: - Changes

    static func append(_ change: GovernanceChange, to bytes: inout ByteWriter) {
        switch change {
        case .aiEnabled(let isEnabled):
            bytes.append(1)
            bytes.append(isEnabled ? 1 : 0)
        case .quality(let feature, let quality):
            bytes.append(2)
            bytes.append(feature)
            bytes.append(quality.rawValue)
        case .limits(let items, let windows):
            bytes.append(3)
            append(items, to: &bytes)
            append(windows, to: &bytes)
        case .subscription(let subscription, let zone, let hasSignedUp, let hasTried):
            bytes.append(4)
            bytes.append((subscription != nil ? 1 : 0) | (hasSignedUp ? 2 : 0) | (hasTried ? 4 : 0))
            bytes.append(zone)
            if let subscription { append(subscription, to: &bytes) }
        case .windows(let windows):
            bytes.append(5)
            append(windows, to: &bytes)
        }
    }

    static func change(_ reader: inout ByteReader) throws(CodecError) -> GovernanceChange {
        switch try reader.byte() {
        case 1: return .aiEnabled(try bool(&reader))
        case 2:
            let feature = try reader.text()
            guard let quality = Quality(rawValue: try reader.byte()) else { throw .invalid(field: .quality) }
            return .quality(feature: feature, quality)
        case 3:
            let items = try items(&reader)
            return .limits(items, try windows(&reader))
        case 4:
            let flags = try reader.byte()
            guard flags < 8 else { throw .invalid(field: .flags) }
            let zone = try reader.text()
            return .subscription(
                flags & 1 != 0 ? try subscription(&reader) : nil, zone: zone, hasSignedUp: flags & 2 != 0,
                hasTried: flags & 4 != 0)
        case 5: return .windows(try windows(&reader))
        default: throw .invalid(field: .change)
        }
    }

    private static func bool(_ reader: inout ByteReader) throws(CodecError) -> Bool {
        switch try reader.byte() {
        case 0: return false
        case 1: return true
        default: throw .invalid(field: .flags)
        }
    }

    // MARK: - Limits

    private static func append(_ items: [LimitTable.Item], to bytes: inout ByteWriter) {
        bytes.appendVarint(UInt64(items.count))
        for item in items {
            let limit = item.limit
            bytes.append(limit.scope.rawValue)
            bytes.append(limit.window.rawValue)
            bytes.append(limit.isEnforced ? 1 : 0)
            bytes.append(limit.member)
            bytes.append(limit.feature)
            append(limit.soft, to: &bytes)
            append(limit.hard, to: &bytes)
            bytes.appendZigZag(item.consumed)
            bytes.appendZigZag(item.wouldHaveRefused)
        }
    }

    private static func items(_ reader: inout ByteReader) throws(CodecError) -> [LimitTable.Item] {
        let count = try reader.count(ofAtLeast: 9)
        var items: [LimitTable.Item] = []
        items.reserveCapacity(count)
        for _ in 0..<count {
            guard let scope = LimitScope(rawValue: try reader.byte()),
                let window = LimitWindow(rawValue: try reader.byte())
            else { throw .invalid(field: .limit) }
            let isEnforced = try bool(&reader)
            let member = try reader.text()
            let feature = try reader.text()
            let soft = try bound(&reader)
            let limit = UsageLimit(
                scope: scope, window: window, member: member, feature: feature, soft: soft, hard: try bound(&reader),
                isEnforced: isEnforced)
            let consumed = try reader.zigZag()
            items.append(.init(limit: limit, consumed: consumed, wouldHaveRefused: try reader.zigZag()))
        }
        return items
    }

    private static func append(_ bound: LimitBound, to bytes: inout ByteWriter) {
        switch bound {
        case .none:
            bytes.append(0)
        case .micros(let micros):
            bytes.append(1)
            bytes.appendZigZag(micros)
        case .percent(let percent):
            bytes.append(2)
            bytes.appendZigZag(percent)
        }
    }

    private static func bound(_ reader: inout ByteReader) throws(CodecError) -> LimitBound {
        switch try reader.byte() {
        case 0: return .none
        case 1: return .micros(try reader.zigZag())
        case 2: return .percent(try reader.zigZag())
        default: throw .invalid(field: .limit)
        }
    }

    static func append(_ limit: LimitReached, to bytes: inout ByteWriter) {
        bytes.append(limit.scope.rawValue)
        bytes.append(limit.window.rawValue)
        bytes.append(limit.member)
        bytes.append(limit.feature)
        bytes.appendZigZag(limit.hardMicros)
        bytes.appendZigZag(limit.usedMicros)
        bytes.appendZigZag(limit.neededMicros)
    }

    static func limitReached(_ reader: inout ByteReader) throws(CodecError) -> LimitReached {
        guard let scope = LimitScope(rawValue: try reader.byte()), let window = LimitWindow(rawValue: try reader.byte())
        else { throw .invalid(field: .limit) }
        let member = try reader.text()
        let feature = try reader.text()
        let hard = try reader.zigZag()
        let used = try reader.zigZag()
        return LimitReached(
            scope: scope, window: window, member: member, feature: feature, hardMicros: hard, usedMicros: used,
            neededMicros: try reader.zigZag())
    }

    private static func append(_ windows: LimitWindows, to bytes: inout ByteWriter) {
        let spans = [windows.day, windows.week, windows.month]
        var flags: UInt8 = 0
        for (place, span) in spans.enumerated() where span != nil { flags |= 1 << UInt8(place) }
        bytes.append(flags)
        for case let span? in spans { append(span.start, span.end, to: &bytes) }
    }

    private static func windows(_ reader: inout ByteReader) throws(CodecError) -> LimitWindows {
        let flags = try reader.byte()
        guard flags < 8 else { throw .invalid(field: .flags) }
        func span(_ flag: UInt8) throws(CodecError) -> LimitWindows.Span? {
            guard flags & flag != 0 else { return nil }
            let (start, end) = try moments(&reader)
            return LimitWindows.Span(start: start, end: end)
        }
        let day = try span(1)
        let week = try span(2)
        return LimitWindows(day: day, week: week, month: try span(4))
    }

    private static func append(_ start: Instant, _ end: Instant, to bytes: inout ByteWriter) {
        bytes.appendDistance(from: epoch, to: start)
        bytes.appendDistance(from: start, to: end)
    }

    private static func moments(_ reader: inout ByteReader) throws(CodecError) -> (Instant, Instant) {
        let start = try reader.distance(from: epoch)
        return (start, try reader.distance(from: start))
    }

    // MARK: - Subscriptions

    private static func append(_ subscription: Subscription, to bytes: inout ByteWriter) {
        append(subscription.terms, to: &bytes)
        bytes.append(subscription.state.rawValue)
        bytes.append(subscription.anchorDay)
        bytes.append(
            (subscription.cycle != nil ? 1 : 0) | (subscription.cycle?.isTrial ?? false ? 2 : 0)
                | (subscription.nextPlan != nil ? 4 : 0) | (subscription.nextState != nil ? 8 : 0))
        if let cycle = subscription.cycle {
            append(cycle.start, cycle.end, to: &bytes)
            bytes.appendZigZag(cycle.allowanceMicros)
            bytes.appendVarint(UInt64(cycle.grantsBefore))
        }
        if let plan = subscription.nextPlan { bytes.append(plan) }
        if let state = subscription.nextState { bytes.append(state.rawValue) }
    }

    private static func subscription(_ reader: inout ByteReader) throws(CodecError) -> Subscription {
        let terms = try terms(ofPlan: &reader)
        var subscription = Subscription(terms: terms, state: try state(&reader))
        subscription.anchorDay = try reader.byte()
        let flags = try reader.byte()
        guard flags < 16, subscription.anchorDay <= 31 else { throw .invalid(field: .flags) }
        if flags & 1 != 0 {
            let (start, end) = try moments(&reader)
            let allowance = try reader.zigZag()
            subscription.cycle = .init(
                start: start, end: end, allowanceMicros: allowance, grantsBefore: try reader.number(),
                isTrial: flags & 2 != 0)
        }
        if flags & 4 != 0 { subscription.nextPlan = try reader.text() }
        if flags & 8 != 0 { subscription.nextState = try state(&reader) }
        return subscription
    }

    private static func state(_ reader: inout ByteReader) throws(CodecError) -> SubscriptionState {
        guard let state = SubscriptionState(rawValue: try reader.byte()) else { throw .invalid(field: .plan) }
        return state
    }

    private static func append(_ terms: PlanTerms, to bytes: inout ByteWriter) {
        bytes.append(terms.name)
        bytes.append(terms.cycle?.rawValue ?? 0)
        bytes.append(terms.counts.rawValue)
        bytes.append(terms.packs.rawValue)
        bytes.append(
            (terms.allowance != nil ? 1 : 0) | (terms.rollover != nil ? 2 : 0) | (terms.trial != nil ? 4 : 0)
                | (terms.overage != nil ? 8 : 0) | (terms.overage?.isBilled ?? false ? 16 : 0)
                | (terms.rollover?.expiresAfterCycles != nil ? 32 : 0))
        bytes.appendVarint(UInt64(terms.signUp.count))
        for credits in terms.signUp {
            bytes.append(credits.kind.rawValue)
            bytes.appendZigZag(credits.amountMicros)
            bytes.appendZigZag(credits.expiresAfterDays ?? -1)
        }
        if let allowance = terms.allowance {
            bytes.append(allowance.kind.rawValue)
            bytes.appendZigZag(allowance.amountMicros)
        }
        if let rollover = terms.rollover {
            bytes.appendZigZag(rollover.minimumMicros)
            bytes.appendZigZag(rollover.maximumMicros)
            if let cycles = rollover.expiresAfterCycles { bytes.appendZigZag(cycles) }
        }
        if let trial = terms.trial {
            bytes.appendZigZag(trial.days)
            bytes.appendZigZag(trial.amountMicros)
            bytes.append(trial.then.rawValue)
        }
        if let overage = terms.overage { bytes.appendZigZag(overage.capMicros) }
    }

    private static func terms(ofPlan reader: inout ByteReader) throws(CodecError) -> PlanTerms {
        var terms = PlanTerms(name: try reader.text())
        let cycle = try reader.byte()
        terms.cycle = PlanTerms.CycleKind(rawValue: cycle)
        guard cycle == 0 || terms.cycle != nil else { throw .invalid(field: .plan) }
        terms.counts = SubscriptionStates(rawValue: try reader.byte())
        terms.packs = SubscriptionStates(rawValue: try reader.byte())
        let flags = try reader.byte()
        guard flags < 64 else { throw .invalid(field: .flags) }
        for _ in 0..<(try reader.count(ofAtLeast: 3)) {
            let kind = try grantKind(&reader)
            let amount = try reader.zigZag()
            let days = try reader.zigZag()
            terms.signUp.append(.init(kind: kind, amountMicros: amount, expiresAfterDays: days < 0 ? nil : days))
        }
        if flags & 1 != 0 {
            let kind = try grantKind(&reader)
            terms.allowance = .init(kind: kind, amountMicros: try reader.zigZag())
        }
        if flags & 2 != 0 {
            let minimum = try reader.zigZag()
            let maximum = try reader.zigZag()
            terms.rollover = .init(
                minimumMicros: minimum, maximumMicros: maximum,
                expiresAfterCycles: flags & 32 != 0 ? try reader.zigZag() : nil)
        }
        if flags & 4 != 0 {
            let days = try reader.zigZag()
            let amount = try reader.zigZag()
            terms.trial = .init(days: days, amountMicros: amount, then: try state(&reader))
        }
        if flags & 8 != 0 {
            terms.overage = .init(capMicros: try reader.zigZag(), isBilled: flags & 16 != 0)
        }
        return terms
    }

    private static func grantKind(_ reader: inout ByteReader) throws(CodecError) -> GrantKind {
        guard let kind = GrantKind(rawValue: try reader.byte()) else { throw .invalid(field: .grantKind) }
        return kind
    }

    // MARK: - The whole of it

    /// All that governs a book, as a shard keeps it.
    package static func encode(_ governance: Governance, into bytes: inout [UInt8]) {
        ByteWriter.append(to: &bytes) { append(governance, to: &$0) }
    }

    private static func append(_ governance: Governance, to bytes: inout ByteWriter) {
        bytes.append(version)
        bytes.append(governance.isAIEnabled ? 1 : 0)
        let qualities = governance.qualities.sorted { $0.key < $1.key }
        bytes.appendVarint(UInt64(qualities.count))
        for (feature, quality) in qualities {
            bytes.append(feature)
            bytes.append(quality.rawValue)
        }
        append(
            .subscription(
                governance.subscription, zone: governance.zone, hasSignedUp: governance.hasSignedUp,
                hasTried: governance.hasTried), to: &bytes)
        append(.limits(governance.limits.items, governance.limits.windows), to: &bytes)
        bytes.append(governance.changedAt == nil ? 0 : 1)
        if let changedAt = governance.changedAt { bytes.appendDistance(from: epoch, to: changedAt) }
    }

    package static func decodeGovernance(_ bytes: UnsafeRawBufferPointer) throws(CodecError) -> Governance {
        var reader = ByteReader(bytes)
        try checkVersion(&reader)
        var governance = Governance()
        governance.isAIEnabled = try bool(&reader)
        for _ in 0..<(try reader.count(ofAtLeast: 2)) {
            let feature = try reader.text()
            guard let quality = Quality(rawValue: try reader.byte()) else { throw .invalid(field: .quality) }
            governance.qualities[feature] = quality
        }
        governance.apply(try change(&reader), at: .zero)
        governance.apply(try change(&reader), at: .zero)
        governance.changedAt = try bool(&reader) ? try reader.distance(from: epoch) : nil
        try reader.end()
        return governance
    }
}

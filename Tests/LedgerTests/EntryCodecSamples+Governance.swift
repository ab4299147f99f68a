import Ledger

/// Entries about what governs a book, about overage and for the audit trail: of each kind and shape, made by hand.
extension EntryCodecTests {
    static let governedSamples: [Entry] =
        changes.enumerated().map { index, change in
            entry(index, change.kind, detail: .change(change.change), audit: index % 2 == 0 ? note : nil)
        } + [priced] + noted + moved + limitRefusals

    private static func entry(
        _ number: Int, _ kind: EntryKind, key: StepKey? = nil, reservation: StepID = .zero, amount: Int64 = 0,
        moves: Few<Move> = [], comment: String = "", detail: Entry.Detail = .none, audit: AuditNote? = nil
    ) -> Entry {
        Entry(
            sequence: UInt64(1_000 + number), at: start.advanced(microseconds: Int64(number) * second + 7), kind: kind,
            key: key, fingerprint: key == nil ? 0 : 77, reservation: reservation, amount: amount, moves: moves,
            after: BalanceAfter(available: 12_345, held: 678), comment: comment, detail: detail, audit: audit)
    }

    static let note = AuditNote(
        origin: CallOrigin(keyID: "key_1", actor: "ada", address: "10.0.0.1", forwardedFor: "192.0.2.1, 10.1.1.1"),
        method: "tollgate.v1.Settings/SetAIEnabled", target: "ai_enabled", before: "true", after: "false",
        reason: "Zu teuer – für jetzt")

    // MARK: - Changes

    private static let changes: [(kind: EntryKind, change: GovernanceChange)] = [
        (.setting, .aiEnabled(false)), (.setting, .aiEnabled(true)),
        (.setting, .quality(feature: "chat", .cheap)), (.setting, .quality(feature: "größe", .unspecified)),
        (.setting, .limits(limits, LimitWindows(day: day(0), week: day(-3), month: day(-20)))),
        (.setting, .limits([], LimitWindows())),
        (.subscription, .subscription(nil, zone: "Europe/Berlin", hasSignedUp: false, hasTried: false)),
        (.subscription, .subscription(nil, zone: "", hasSignedUp: true, hasTried: true)),
        (.subscription, .subscription(full, zone: "America/St_Johns", hasSignedUp: true, hasTried: true)),
        (.subscription, .subscription(bare, zone: "UTC", hasSignedUp: true, hasTried: false)),
        (.cycle, .subscription(running, zone: "Asia/Kathmandu", hasSignedUp: true, hasTried: false)),
        (.cycle, .subscription(nil, zone: "UTC", hasSignedUp: true, hasTried: true)),
        (.window, .windows(LimitWindows(day: day(1)))), (.window, .windows(LimitWindows(week: day(2), month: day(3)))),
        (.window, .windows(LimitWindows(month: .init(start: .distantFuture, end: Instant(microseconds: .min))))),
    ]

    private static func day(_ offset: Int64) -> LimitWindows.Span {
        let first = start.advanced(microseconds: offset * 24 * hour)
        return LimitWindows.Span(start: first, end: first.advanced(microseconds: 24 * hour + offset))
    }

    static let limits: [LimitTable.Item] = [
        .init(
            limit: UsageLimit(scope: .tenant, window: .day, soft: .percent(80), hard: .percent(1_000)), consumed: 5,
            wouldHaveRefused: 0),
        .init(
            limit: UsageLimit(scope: .feature, window: .week, feature: "chat", hard: .micros(.max), isEnforced: false),
            consumed: .max, wouldHaveRefused: 4_000_000_000),
        .init(limit: UsageLimit(scope: .member, window: .cycle, member: "ada", soft: .micros(0)), consumed: 0),
        .init(
            limit: UsageLimit(
                scope: .memberFeature, window: .cycle, member: "bob", feature: "image", soft: .micros(1),
                hard: .micros(2)), consumed: .min, wouldHaveRefused: .min),
    ]

    /// Everything that a plan can promise.
    static let full: Subscription = {
        var terms = PlanTerms(name: "pro")
        terms.signUp = [
            .init(kind: .complimentary, amountMicros: 5_000_000, expiresAfterDays: 14),
            .init(kind: .gifted, amountMicros: .max, expiresAfterDays: nil),
            .init(kind: .purchased, amountMicros: 1, expiresAfterDays: 0),
        ]
        terms.allowance = .init(kind: .subscription, amountMicros: 100_000_000)
        terms.cycle = .anniversary
        terms.rollover = .init(minimumMicros: 1_000, maximumMicros: 50_000_000, expiresAfterCycles: 3)
        terms.trial = .init(days: 14, amountMicros: 2_000_000, then: .pastDue)
        terms.counts = [.trial, .grandfathered]
        terms.packs = [.active, .canceled]
        terms.overage = .init(capMicros: 7_000_000, isBilled: true)
        return Subscription(
            terms: terms, state: .trial, anchorDay: 31,
            cycle: .init(
                start: start, end: start.advanced(microseconds: 14 * 24 * hour), allowanceMicros: 2_000_000,
                grantsBefore: .max, isTrial: true),
            nextPlan: "free", nextState: .canceled)
    }()

    /// A plan that promises nothing.
    private static let bare = Subscription(terms: PlanTerms(name: ""), state: .active)

    private static let running: Subscription = {
        var terms = PlanTerms(name: "basic")
        terms.allowance = .init(kind: .complimentary, amountMicros: 0)
        terms.cycle = .calendarMonth
        terms.rollover = .init(minimumMicros: 0, maximumMicros: 0, expiresAfterCycles: nil)
        terms.overage = .init(capMicros: 1, isBilled: false)
        return Subscription(
            terms: terms, state: .grandfathered, anchorDay: 1,
            cycle: .init(
                start: Instant(microseconds: .min), end: .distantFuture, allowanceMicros: .min, grantsBefore: 0,
                isTrial: false),
            nextPlan: "")
    }()

    // MARK: - Prices

    private static let priced: Entry = {
        let tiers = [
            PriceTier(name: "small", from: 0, amountMicros: 5),
            PriceTier(
                name: "large", from: 1_000, amountMicros: 3, per: 2, fixedMicros: 40, minimumMicros: 60,
                maximumMicros: .max),
        ]
        let price = FeaturePrice(
            feature: "image",
            units: [UnitPrice(unit: "pixel", tiers: tiers), UnitPrice(unit: "step", amountMicros: 1, per: 3)],
            qualityPercent: [100, 50, 100, 250], fixedMicros: 0, minimumMicros: 7)
        return entry(19, .price, detail: .price(version: 2, price))
    }()

    // MARK: - Notes, grants and overage

    private static let noted: [Entry] = [
        entry(20, .note, key: StepKey(family: .note, id: id(60)), audit: note),
        entry(
            21, .note,
            audit: AuditNote(
                origin: CallOrigin(keyID: ""), method: "", outcome: .refused, refusal: "PERMISSION_MISSING",
                notNoted: .max)),
        entry(
            22, .grantRevocation, key: StepKey(family: .grantRevocation, id: id(61)), amount: 9,
            moves: [Move(grant: 4, expired: 9)], comment: "not paid", audit: note),
        entry(23, .grantRevocation, moves: [Move(grant: 5)]),
    ]

    private static let moved: [Entry] =
        GrantOrigin.allCases.enumerated().map { index, origin in
            let number = UInt32(index + 7)
            let grant = Grant(
                number: number, id: .derived(at: start, sequence: UInt64(1_030 + index)), kind: .subscription,
                createdAt: start.advanced(microseconds: Int64(30 + index) * second + 7),
                expiresAt: index % 2 == 0 ? nil : start.advanced(microseconds: 31 * 24 * hour), comment: "",
                amount: 1_000, origin: origin)
            return entry(
                30 + index, .grant, amount: 1_000,
                moves: index % 3 == 0 ? [Move(grant: number, paid: Int64(index + 1))] : [], detail: .grant(grant))
        } + [
            entry(
                40, .reserve, key: StepKey(family: .opening, id: id(70)), reservation: id(70), amount: 300,
                moves: [Move(grant: 3, held: 100), Move(grant: Move.overageNumber, held: 200)],
                detail: .opening(
                    ReservationTerms(feature: "chat", actor: "bob"),
                    progress(.open, [Draw(grant: 3, held: 100, consumed: 0), Draw(grant: 0, held: 200, consumed: 0)])),
                audit: shadow),
            entry(
                41, .commit, key: StepKey(family: .commit, id: id(70)), reservation: id(70), amount: 350,
                moves: [
                    Move(grant: 3, held: -100, consumed: 100),
                    Move(grant: Move.overageNumber, held: -200, consumed: 250),
                ],
                detail: .progress(
                    progress(
                        .committed, [Draw(grant: 3, held: 0, consumed: 100), Draw(grant: 0, held: 0, consumed: 250)]),
                    quantities: []), audit: shadow),
            entry(
                42, .refund, key: StepKey(family: .refund, id: id(71)), reservation: id(70), amount: 60,
                moves: [
                    Move(grant: Move.overageNumber, consumed: -60), Move(grant: 9, paid: -40),
                    Move(grant: 8, expired: 10, paid: -10),
                ],
                detail: .progress(
                    progress(
                        .committed, [Draw(grant: 3, held: 0, consumed: 100), Draw(grant: 0, held: 0, consumed: 190)],
                        refunded: 60), quantities: [])),
            entry(
                43, .grantExpiry, amount: .min,
                moves: [Move(grant: .max, held: .min, consumed: .max, expired: .min, paid: .max)],
                audit: AuditNote(
                    origin: CallOrigin(keyID: "k"), method: "m", outcome: .done, notNoted: 1, limits: [0, .max])),
        ]

    private static let shadow = AuditNote(
        origin: CallOrigin(keyID: "key_2"), method: "tollgate.v1.Credits/Reserve", target: "chat",
        after: "{\"scope\":\"tenant\"}", outcome: .wouldRefuse, refusal: "HARD_LIMIT_REACHED", limits: [0, 3, 300])

    private static func progress(
        _ state: ReservationState, _ draws: Few<Draw>, refunded: Int64 = 0
    ) -> ReservationProgress {
        let closedAt = state == .open ? nil : start.advanced(microseconds: 41 * second + 7)
        return ReservationProgress(
            state: state, expiresAt: start.advanced(microseconds: hour), closedAt: closedAt, refunded: refunded,
            draws: draws)
    }

    // MARK: - Refusals

    private static let limitRefusals: [Entry] = {
        let reached = LimitReached(
            scope: .memberFeature, window: .cycle, member: "ada", feature: "chat", hardMicros: 100, usedMicros: .max,
            neededMicros: 1)
        let refusals: [Refusal] = [
            .aiDisabled, .hardLimitReached(reached), .grantNotFound, .planNotFound, .noCycle, .noSubscription,
        ]
        return refusals.map { refusal in
            Entry(
                sequence: 0, at: start, kind: .refusal, key: StepKey(family: .opening, id: id(80)), fingerprint: 8,
                reservation: id(80), after: BalanceAfter(available: 0, held: 0), detail: .refusal(refusal))
        }
    }()
}

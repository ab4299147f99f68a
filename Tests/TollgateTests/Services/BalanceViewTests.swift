import Ledger
import Protobuf
import Testing
import TollgateSchema

@testable import Tollgate

@Suite("A balance writes itself as the generated message would")
struct BalanceViewTests {
    private let now = Instant(microseconds: 1_767_225_600_000_000)

    private func written(_ state: borrowing LedgerState) throws -> Balance {
        var writer = WireWriter()
        BalanceView(state, at: now, monthStart: now, rules: PlainRules.shared).write(to: &writer)
        let bytes = writer.bytes()
        let balance = try Balance(wireBytes: bytes)
        #expect(balance.wireBytes() == bytes)
        #expect(balance.unknownFields.isEmpty)
        return balance
    }

    @Test("of an empty book")
    func empty() throws {
        let balance = try written(LedgerState())
        #expect(
            balance
                == .with {
                    $0.level = .exhausted
                    $0.statusText = "No credits remaining"
                    $0.aiEnabled = true
                    $0.limitState = .none
                    $0.asOf = Timestamp(now)
                })
    }

    @Test("of grants of every kind, with what is held of them")
    func grants() throws {
        var state = LedgerState()
        let expiry = now.advanced(microseconds: 1_000_000)
        for (number, kind) in Ledger.GrantKind.allCases.enumerated() {
            let command = GrantCommand(
                id: StepID(high: 1, low: UInt64(number)), fingerprint: 1, kind: kind, amountMicros: 1_000,
                expiresAt: kind == .gifted ? expiry : nil)
            let decision = state.decide(.grant(command), at: now)
            for entry in decision.entries { state.evolve(entry) }
        }
        let hold = ReserveCommand(id: StepID(high: 2, low: 1), fingerprint: 2, ask: .amount(400))
        let decision = state.decide(.reserve(hold), at: now)
        for entry in decision.entries { state.evolve(entry) }
        let balance = try written(state)
        #expect(balance.availableMicros == 3_600)
        #expect(balance.heldMicros == 400)
        #expect(balance.byKind.map(\.kind) == [.subscription, .purchased, .gifted, .complimentary])
        #expect(balance.byKind.map(\.availableMicros) == [1_000, 1_000, 600, 1_000])
        #expect(balance.byKind.map(\.heldMicros) == [0, 0, 400, 0])
        #expect(balance.byKind.map(\.nextExpireTime) == [nil, nil, Timestamp(expiry), nil])
        #expect(balance.level == .healthy)
    }

    private func evolve(_ state: inout LedgerState, _ commands: [Command], rules: any BookRules) throws {
        for command in commands {
            let decision = state.decide(command, at: now, under: rules)
            _ = try decision.outcome.get()
            for entry in decision.entries { state.evolve(entry) }
        }
    }

    private func limit(_ soft: LimitBound, _ hard: LimitBound, isEnforced: Bool = true) -> Ledger.UsageLimit {
        Ledger.UsageLimit(scope: .tenant, window: .cycle, soft: soft, hard: hard, isEnforced: isEnforced)
    }

    @Test(
        "of a tenant that switched AI off, with what is reached of its limits",
        arguments: [
            (LimitBound.micros(401), LimitBound.none, true, LimitState.below),
            (.micros(400), .none, true, .softReached),
            (.micros(400), .micros(401), true, .softReached),
            (.micros(400), .micros(400), true, .hardReached),
            (.none, .micros(400), true, .hardReached),
            // One on trial refuses nothing.
            (.micros(400), .micros(400), false, .softReached),
            // In percent of an allowance that there is none of.
            (.percent(1), .percent(1), true, .below),
        ])
    func limits(soft: LimitBound, hard: LimitBound, isEnforced: Bool, expected: LimitState) throws {
        var state = LedgerState()
        let grant = GrantCommand(id: StepID(high: 1, low: 1), fingerprint: 1, kind: .gifted, amountMicros: 1_000)
        let hold = ReserveCommand(id: StepID(high: 2, low: 1), fingerprint: 2, ask: .amount(400))
        let limits = [
            limit(soft, hard, isEnforced: isEnforced),
            Ledger.UsageLimit(scope: .member, window: .day, member: "ann", hard: .micros(1)),
        ]
        let change = SettingCommand.Change.limits(limits, zone: "UTC", used: [0, 0])
        try evolve(
            &state,
            [.grant(grant), .set(SettingCommand(change)), .reserve(hold), .set(SettingCommand(.aiEnabled(false)))],
            rules: PlainRules.shared)
        let balance = try written(state)
        #expect(!balance.aiEnabled)
        #expect(balance.limitState == expected)
    }

    @Test("where no limit counts for the whole tenant, none is told")
    func otherLimits() throws {
        var state = LedgerState()
        let limit = Ledger.UsageLimit(scope: .feature, window: .day, feature: "chat", hard: .micros(1))
        try evolve(
            &state, [.set(SettingCommand(.limits([limit], zone: "UTC", used: [9])))], rules: PlainRules.shared)
        #expect(try written(state).limitState == .none)
    }

    /// A plan with an allowance, one without, and one with a trial.
    private final class Plans: BookRules {
        func offsetSeconds(of zone: String, at instant: Instant) -> Int64 { 0 }

        func terms(of plan: String, at instant: Instant) -> PlanTerms? {
            var terms = PlanTerms(name: plan)
            guard plan != "none" else { return terms }
            terms.cycle = .calendarMonth
            terms.allowance = .init(kind: plan == "free" ? .complimentary : .subscription, amountMicros: 100)
            if plan == "trial" { terms.trial = .init(days: 3, amountMicros: 10, then: .active) }
            if plan == "ends" { terms.trial = .init(days: 3, amountMicros: 10, then: .canceled) }
            terms.counts = [.active]
            return terms
        }
    }

    @Test(
        "the next allowance of subscription credits is told, where one is to come",
        arguments: [
            (["month"], true), (["none"], false), (["free"], false), (["trial"], true), (["ends"], false),
            (["month", "later none"], false), (["none", "later month"], false), (["month", "later free"], false),
            (["free", "later month"], true), (["month", "later"], false), (["month", "canceled"], false),
            (["month", "later canceled"], false), (["month", "canceled", "later active"], true),
        ])
    func refresh(changes: [String], isToCome: Bool) throws {
        let rules = Plans()
        var state = LedgerState()
        for change in changes {
            let isLater = change.hasPrefix("later")
            let word = change.replacing("later", with: "").trimmingPrefix(" ")
            let newState: Ledger.SubscriptionState? =
                word == "canceled" ? .canceled : word == "active" ? .active : nil
            let command = SubscriptionCommand(
                plan: newState == nil ? String(word) : nil, state: newState, isAtCycleEnd: isLater)
            if changes == ["none", "later month"], isLater { break }
            try evolve(&state, [.subscribe(command)], rules: rules)
        }
        var writer = WireWriter()
        BalanceView(state, at: now, monthStart: now, rules: rules).write(to: &writer)
        let balance = try Balance(wireBytes: writer.bytes())
        let kind = balance.byKind.first { $0.kind == .subscription }
        #expect(kind?.refreshTime == (isToCome ? state.governance.subscription?.cycle.map { Timestamp($0.end) } : nil))
        #expect(!isToCome || kind?.refreshTime != nil)
    }
}

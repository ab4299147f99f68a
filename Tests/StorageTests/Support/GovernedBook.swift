import Ledger
import SeededRandom

@testable import Storage

/// Rules with plans of every kind, whose terms change as time goes on, and zones with and without daylight saving.
final class TestRules: BookRules {
    private static let dayMicroseconds: Int64 = 24 * 3600 * 1_000_000

    /// "summer" is an hour further east in the second half of each period of 360 days.
    func offsetSeconds(of zone: String, at instant: Instant) -> Int64 {
        switch zone {
        case "summer": instant.microseconds / Self.dayMicroseconds % 360 < 180 ? 3_600 : 7_200
        case "+5:45": 20_700
        default: 0
        }
    }

    static let plans = ["free", "pro", "billed", "packs"]

    func terms(of plan: String, at instant: Instant) -> PlanTerms? {
        guard Self.plans.contains(plan) else { return nil }
        var terms = PlanTerms(name: plan)
        // What the plan gives grows with every hundred days.
        let growth = instant.microseconds / Self.dayMicroseconds / 100 % 10
        switch plan {
        case "free":
            terms.signUp = [
                .init(kind: .complimentary, amountMicros: 2_000, expiresAfterDays: 40),
                .init(kind: .gifted, amountMicros: 500, expiresAfterDays: nil),
            ]
            terms.allowance = .init(kind: .subscription, amountMicros: 8_000 + growth)
            terms.cycle = .calendarMonth
            terms.rollover = .init(minimumMicros: 30, maximumMicros: 6_000, expiresAfterCycles: 2)
        case "pro":
            terms.allowance = .init(kind: .subscription, amountMicros: 12_000 + growth)
            terms.cycle = .anniversary
            terms.trial = .init(days: 10, amountMicros: 3_000, then: .active)
            terms.overage = .init(capMicros: 20_000, isBilled: false)
        case "billed":
            terms.allowance = .init(kind: .complimentary, amountMicros: 6_000 + growth)
            terms.cycle = .calendarMonth
            terms.counts = [.trial, .active, .grandfathered]
            terms.overage = .init(capMicros: 40_000, isBilled: true)
            terms.rollover = .init(minimumMicros: 0, maximumMicros: 100_000, expiresAfterCycles: nil)
        default:
            terms.packs = [.active]
        }
        return terms
    }
}

/// A tenant's book with plans, cycles, limits and overage, driven by random numbers as an engine would drive it: records are
/// written to the shard in random runs, memory lets go of what the shard holds, and now and then it begins anew from there.
final class GovernedBook {
    let tenant: TenantID
    let store: ShardStore
    let rules = TestRules()
    var state = LedgerState()
    var random: SeededRandom
    var now = Instant(microseconds: 1_767_225_600_000_000)
    /// All entries of the book, refusals left out.
    private(set) var entries: [Entry] = []
    private(set) var refusals = 0
    /// All of it, as it was journaled.
    private(set) var records: [[Entry]] = []
    /// Of all reservations.
    private(set) var terms: [StepID: ReservationTerms] = [:]
    /// Of those, the ones that were made last.
    private var recent: [StepID] = []
    private var pending = RecordRun()

    static let actors = (0..<5).map { "user-\($0)" }
    static let features = ["chat", "image"]

    init(tenant: TenantID, seed: UInt64, store: ShardStore) {
        self.tenant = tenant
        self.store = store
        random = SeededRandom(seed: seed)
    }

    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    func number(_ range: ClosedRange<Int64>) -> Int64 { .random(in: range, using: &random) }

    // MARK: - As an engine does it

    /// Does random things and writes them in random runs.
    func run(steps: Int, flushes percent: Int = 5) throws {
        for _ in 0..<steps {
            // Mostly seconds go by, at times days.
            now.microseconds += chance(3) ? number(0...1_600_000_000_000) : number(0...300_000_000)
            try act()
            if chance(percent) { try flush() }
        }
        try flush()
    }

    func flush() throws {
        guard !pending.isEmpty else { return }
        try store.apply(tenant, pending)
        pending = RecordRun()
        if chance(70) { state.forget(flushedThrough: state.sequence, keep: Int(number(0...20))) }
    }

    /// Begins anew from what the shard holds.
    func restart() throws {
        try flush()
        guard let loaded = try store.load(tenant) else { return }
        state = LedgerState(restoring: loaded.snapshot)
    }

    @discardableResult
    func step(_ command: Command) throws -> Result<StepAnswer, Refusal> {
        var record = state.settle(at: now, under: rules)
        let recall = state.recall(for: command)
        if let recall {
            add(record)
            record = []
            try flush()
            state.adopt(try store.recall(tenant, recall), for: recall)
        }
        let decision = state.decide(command, at: now, under: rules, recalled: recall != nil)
        for entry in decision.entries { state.evolve(entry) }
        if decision.isLeftOut { state.leaveOut() }
        add(record + decision.entries)
        return decision.outcome
    }

    private func add(_ record: [Entry]) {
        guard !record.isEmpty else { return }
        records.append(record)
        pending.append(contentsOf: RecordRun(record, at: UInt64(records.count)))
        for entry in record {
            if case .opening(let terms, _) = entry.detail {
                self.terms[entry.reservation] = terms
                recent.append(entry.reservation)
            }
            if entry.kind == .refusal { refusals += 1 } else { entries.append(entry) }
        }
        if recent.count > 60 { recent.removeFirst(recent.count - 60) }
    }

    // MARK: - Random things

    func newID() -> StepID {
        let other = chance(5)
        let milliseconds = UInt64(now.microseconds / 1_000)
        return StepID(
            high: (other ? random.next() << 16 | 0x4000 : milliseconds << 16 | 0x7000) | random.next() & 0xFFF,
            low: random.next() >> 2 | 1 << 63)
    }

    private func origin() -> CallOrigin? {
        chance(20) ? nil : CallOrigin(keyID: "key", actor: Self.actors.randomElement(using: &random)!, address: "::1")
    }

    private func reserve() -> ReserveCommand {
        var command = ReserveCommand(
            id: newID(), fingerprint: random.next(), ask: .amount(number(0...4_000)),
            minimumMicros: chance(20) ? 1 : nil, ttlMicroseconds: number(1...3_000_000_000),
            feature: Self.features.randomElement(using: &random)!, actor: Self.actors.randomElement(using: &random)!)
        if chance(40), command.feature == "chat" {
            let quantities = [
                Quantity(unit: "in", count: number(0...900)), Quantity(unit: "out", count: number(0...300)),
            ]
            command.ask = .quantities(quantities, quality: .unspecified, price: PriceSchedule(BookDriver.price))
        }
        command.origin = origin()
        return command
    }

    private func someReservation() -> StepID {
        chance(2) ? newID() : recent.randomElement(using: &random) ?? newID()
    }

    private func act() throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30: try step(.reserve(reserve()))
        case 30..<40: try step(.charge(reserve()))
        case 40..<58:
            var commit = CommitCommand(
                reservation: someReservation(), id: chance(30) ? newID() : nil, fingerprint: random.next(),
                ask: .amount(number(0...5_000)), partial: chance(20))
            commit.origin = origin()
            try step(.commit(commit))
        case 58..<62: try step(.release(ReleaseCommand(reservation: someReservation(), fingerprint: 5)))
        case 62..<72:
            try step(
                .refund(
                    RefundCommand(
                        id: newID(), reservation: someReservation(), fingerprint: random.next(),
                        amountMicros: chance(50) ? nil : number(1...2_000))))
        case 72..<75:
            try step(
                .extend(
                    ExtendCommand(
                        reservation: someReservation(), id: chance(50) ? newID() : nil, fingerprint: random.next(),
                        ttlMicroseconds: number(1...9_000_000_000))))
        case 75..<78: try grant()
        case 78..<80:
            if let grant = state.grants.randomElement(using: &random) {
                try step(.revoke(RevokeCommand(grant: grant.id, origin: origin(), reason: "not paid")))
            }
        case 80..<88: try changeSubscription()
        case 88..<93: try setLimits()
        case 93..<97: try changeSetting()
        default: try note()
        }
    }

    private func grant() throws {
        var grant = GrantCommand(
            id: newID(), fingerprint: random.next(), kind: .allCases.randomElement(using: &random)!,
            amountMicros: number(1...3_000),
            expiresAt: chance(50) ? nil : now.advanced(microseconds: number(1...1 << 43)),
            actor: "admin", comment: "pack")
        grant.origin = origin()
        try step(.grant(grant))
    }

    private func changeSubscription() throws {
        var change = SubscriptionCommand(
            id: chance(30) ? newID() : nil, isAtCycleEnd: chance(30), origin: origin(), method: "m", reason: "asked")
        change.allowance = [.keep, .topUp, .replace].randomElement(using: &random)!
        if chance(60) { change.plan = chance(5) ? "" : TestRules.plans.randomElement(using: &random)! }
        if chance(40) { change.state = chance(60) ? .active : .allCases.randomElement(using: &random)! }
        if chance(20) { change.zone = ["UTC", "summer", "+5:45"].randomElement(using: &random)! }
        try step(.subscribe(change))
    }

    func limits() -> [UsageLimit] {
        (0..<Int(number(0...5))).map { _ in
            let scope = LimitScope.allCases.randomElement(using: &random)!
            let hard: LimitBound = chance(50) ? .micros(number(0...60_000)) : .percent(number(1...200))
            return UsageLimit(
                scope: scope, window: .allCases.randomElement(using: &random)!,
                member: scope == .member || scope == .memberFeature ? Self.actors.randomElement(using: &random)! : "",
                feature: scope == .feature || scope == .memberFeature
                    ? Self.features.randomElement(using: &random)! : "",
                soft: chance(50) ? .none : .percent(80), hard: chance(10) ? .none : hard, isEnforced: chance(40))
        }.reduce(into: []) { limits, limit in
            if !limits.contains(where: { $0.isSame(as: limit) }) { limits.append(limit) }
        }
    }

    private func setLimits() throws {
        add(state.settle(at: now, under: rules))
        let limits = limits()
        // What the new ones have against them already is looked up.
        try flush()
        let new = state.newLimits(limits, zone: "+5:45", at: now, under: rules)
        let (uses, through) = try store.use(tenant, of: new)
        precondition(through == state.sequence, "what is flushed is looked at")
        try step(
            .set(SettingCommand(.limits(limits, zone: "+5:45", used: uses.map(\.used)), origin: origin(), method: "m")))
    }

    private func changeSetting() throws {
        let change: SettingCommand.Change =
            chance(40)
            ? .aiEnabled(chance(70))
            : .quality(
                feature: Self.features.randomElement(using: &random)!, .allCases.randomElement(using: &random)!)
        try step(.set(SettingCommand(change, origin: origin(), method: "m", reason: "why")))
    }

    private func note() throws {
        let note = AuditNote(
            origin: origin() ?? CallOrigin(keyID: "other"), method: "m", target: "key",
            outcome: chance(50) ? .refused : .done, refusal: "PERMISSION_MISSING")
        try step(.note(NoteCommand(id: note.outcome == .done ? newID() : nil, note: note)))
    }
}

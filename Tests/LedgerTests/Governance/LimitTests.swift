import Ledger
import Testing

@Suite struct LimitTests {
    private func book() -> GovernedBook {
        let book = GovernedBook([.monthly("monthly", 1_000)], at: moment(2026, 1, 7, hour: 10))
        book.subscribe("monthly")
        book.grant(1_000_000)
        return book
    }

    private func reached(_ outcome: Result<StepAnswer, Refusal>) -> LimitReached? {
        if case .hardLimitReached(let reached)? = outcome.refusal { reached } else { nil }
    }

    static let scopes: [(UsageLimit, feature: String, actor: String, other: (String, String))] = [
        (UsageLimit(scope: .tenant, window: .day), "chat", "ann", ("", "")),
        (UsageLimit(scope: .feature, window: .day, feature: "chat"), "chat", "ann", ("image", "ann")),
        (UsageLimit(scope: .member, window: .day, member: "ann"), "chat", "ann", ("chat", "bob")),
        (
            UsageLimit(scope: .memberFeature, window: .day, member: "ann", feature: "chat"), "chat", "ann",
            ("image", "ann")
        ),
    ]

    @Test(arguments: scopes.indices)
    func `a hard limit holds to the micro for what it counts and for nothing else`(index: Int) {
        var (limit, feature, actor, other) = Self.scopes[index]
        limit.hard = .micros(100)
        let book = book()
        book.limit(limit, used: [0])
        let hold = book.reserve(60, feature: feature, actor: actor).id
        #expect(reached(book.reserve(41, feature: feature, actor: actor).outcome)?.usedMicros == 60)
        #expect(book.charge(40, feature: feature, actor: actor).outcome.refusal == nil)
        #expect(reached(book.charge(1, feature: feature, actor: actor).outcome)?.hardMicros == 100)
        if limit.scope != .tenant {
            #expect(book.charge(1_000, feature: other.0, actor: other.1).outcome.refusal == nil)
        }
        book.commit(hold, 20)
        #expect(book.charge(40, feature: feature, actor: actor).outcome.refusal == nil)
        #expect(reached(book.charge(1, feature: feature, actor: actor).outcome) != nil)
    }

    @Test func `the excess of a commit must fit and the hold itself always does`() {
        let book = book()
        let hold = book.reserve(100).id
        book.limit(UsageLimit(scope: .tenant, window: .day, hard: .micros(50)), used: [0])
        #expect(reached(book.commit(hold, 101))?.neededMicros == 1)
        #expect(book.commit(hold, 100).refusal == nil)
    }

    @Test func `a late commit must fit whole`() {
        let book = book()
        let hold = book.reserve(100, ttl: minute).id
        book.limit(UsageLimit(scope: .tenant, window: .day, hard: .micros(50)), used: [0])
        book.move(to: book.now.advanced(microseconds: 2 * minute))
        #expect(reached(book.commit(hold, 51))?.neededMicros == 51)
        #expect(book.commit(hold, 50).refusal == nil)
    }

    @Test func `a hold takes what limits and credits leave where that is enough`() {
        let book = book()
        book.limit(UsageLimit(scope: .tenant, window: .day, hard: .micros(50)), used: [0])
        #expect(book.reserve(80, minimum: 50).outcome.answer?.amount == 50)
        #expect(reached(book.reserve(80, minimum: 1).outcome) != nil)
    }

    @Test func `windows begin at midnight, on Monday and with the cycle`() {
        let book = book()
        // 2026-01-07 is a Wednesday.
        book.limit(
            UsageLimit(scope: .tenant, window: .day, hard: .micros(10)),
            UsageLimit(scope: .tenant, window: .week, hard: .micros(15)),
            UsageLimit(scope: .tenant, window: .cycle, hard: .micros(30)), used: [0, 0, 0])
        func room() -> Int64 {
            var room: Int64 = 0
            while book.charge(1).outcome.refusal == nil { room += 1 }
            return room
        }
        #expect(room() == 10)
        book.move(to: moment(2026, 1, 8))
        #expect(room() == 5)
        book.move(to: moment(2026, 1, 11, hour: 23))
        #expect(room() == 0)
        book.move(to: moment(2026, 1, 12))
        #expect(room() == 10)
        book.move(to: moment(2026, 1, 19))
        #expect(room() == 5)
        book.move(to: moment(2026, 1, 20))
        #expect(room() == 0)
        book.move(to: moment(2026, 2, 1))
        #expect(room() == 10)
    }

    @Test func `holds count in every window while they are open and charges in that of the charge`() {
        let book = book()
        book.limit(UsageLimit(scope: .tenant, window: .day, hard: .micros(100)), used: [0])
        let hold = book.reserve(70, ttl: 3 * day).id
        book.move(to: moment(2026, 1, 8))
        #expect(book.reserve(31).outcome.refusal != nil)
        #expect(book.commit(hold, 70).refusal == nil)
        #expect(book.charge(30).outcome.refusal == nil)
        #expect(book.charge(1).outcome.refusal != nil)
        book.refund(hold, 70)
        #expect(book.charge(70).outcome.refusal == nil)
    }

    @Test func `a refund of an earlier window makes no more room than the window has`() {
        let book = book()
        book.limit(UsageLimit(scope: .tenant, window: .day, hard: .micros(100)), used: [0])
        let yesterday = book.charge(100).id
        book.move(to: moment(2026, 1, 8))
        book.charge(20)
        book.refund(yesterday)
        #expect(book.charge(101).outcome.refusal != nil)
        #expect(book.charge(100).outcome.refusal == nil)
    }

    @Test func `percent is of the cycle's allowance and not in force without one`() {
        let book = book()
        book.limit(UsageLimit(scope: .tenant, window: .cycle, soft: .percent(70), hard: .percent(90)), used: [0])
        #expect(book.charge(901).outcome.refusal != nil)
        #expect(book.charge(700).outcome.refusal == nil)
        let reading = book.state.limitReadings(at: book.now, under: book.rules)[0]
        #expect(reading.hardMicros == 900 && reading.isSoftReached && !reading.isHardReached)
        book.subscribe("")
        #expect(book.charge(5_000).outcome.refusal == nil)
        #expect(book.state.limitReadings(at: book.now, under: book.rules)[0].hardMicros == nil)
    }

    @Test func `the first limit that is asked refuses`() {
        let book = book()
        book.limit(
            UsageLimit(scope: .memberFeature, window: .day, member: "ann", feature: "chat", hard: .micros(1)),
            UsageLimit(scope: .member, window: .day, member: "ann", hard: .micros(1)),
            UsageLimit(scope: .feature, window: .week, feature: "chat", hard: .micros(1)),
            UsageLimit(scope: .feature, window: .day, feature: "chat", hard: .micros(1)), used: [0, 0, 0, 0])
        let first = reached(book.charge(2, feature: "chat", actor: "ann").outcome)
        #expect(first?.scope == .feature && first?.window == .day)
        #expect(
            book.state.governance.limits.items.map(\.limit.scope) == [.feature, .feature, .member, .memberFeature])
        book.step(.set(SettingCommand(.aiEnabled(false))))
        #expect(book.charge(2, feature: "chat", actor: "ann").outcome.refusal == .aiDisabled)
    }

    @Test func `a limit on trial refuses nothing and is noted with the step`() {
        let book = book()
        book.limit(
            UsageLimit(scope: .tenant, window: .day, hard: .micros(10), isEnforced: false),
            UsageLimit(scope: .feature, window: .day, feature: "chat", hard: .micros(5), isEnforced: false),
            used: [0, 0])
        book.charge(5, feature: "chat")
        #expect(book.entries.last?.audit == nil)
        book.charge(6, feature: "chat")
        #expect(book.entries.last?.audit?.outcome == .wouldRefuse)
        #expect(book.entries.last?.audit?.limits == [0, 1])
        #expect(book.state.governance.limits.items.map(\.wouldHaveRefused) == [1, 1])
        book.charge(1)
        #expect(book.state.governance.limits.items.map(\.wouldHaveRefused) == [2, 1])
    }

    @Test func `limits that stay keep what stands against them and new ones begin with what is told`() {
        let book = book()
        let tenant = UsageLimit(scope: .tenant, window: .day, hard: .micros(100))
        book.limit(tenant, used: [0])
        book.charge(40)
        let member = UsageLimit(scope: .member, window: .day, member: "ann", hard: .micros(10))
        var wider = tenant
        wider.hard = .micros(200)
        #expect(
            book.state.newLimits([wider, member], zone: "UTC", at: book.now, under: book.rules).map(\.limit) == [member]
        )
        book.limit(wider, member, used: [7])
        #expect(book.state.governance.limits.items.map(\.consumed) == [40, 7])
        let count = book.entries.count
        book.limit(member, wider)
        #expect(book.entries.count == count, "the same limits again change nothing")
    }

    @Test func `quality comes from the tenant's settings where a request names none`() {
        let book = book()
        let price = FeaturePrice(
            feature: "chat", units: [UnitPrice(unit: "u", amountMicros: 10, per: 1)],
            qualityPercent: [100, 50, 100, 200])
        func ask(_ quality: Quality) -> Int64? {
            let id = book.nextID()
            return book.step(
                .charge(
                    ReserveCommand(
                        id: id, fingerprint: 1,
                        ask: .quantities(
                            [Quantity(unit: "u", count: 1)], quality: quality, price: PriceSchedule(price)),
                        feature: "chat"))
            ).answer?.amount
        }
        #expect(ask(.unspecified) == 10)
        book.step(.set(SettingCommand(.quality(feature: "chat", .best))))
        #expect(ask(.unspecified) == 20)
        #expect(ask(.cheap) == 5)
        book.step(.set(SettingCommand(.quality(feature: "chat", .unspecified))))
        #expect(ask(.unspecified) == 10)
    }

    @Test func `AI switched off refuses what is new and lets what is open end`() {
        let book = book()
        let holds = (0..<3).map { _ in book.reserve(10, ttl: minute).id }
        book.step(.set(SettingCommand(.aiEnabled(false))))
        #expect(book.reserve(1).outcome.refusal == .aiDisabled)
        #expect(book.charge(1).outcome.refusal == .aiDisabled)
        #expect(book.commit(holds[0], 15).refusal == nil)
        #expect(book.release(holds[1]).refusal == nil)
        #expect(book.refund(holds[0]).refusal == nil)
        book.move(to: book.now.advanced(microseconds: 2 * minute))
        #expect(book.commit(holds[2], 5).refusal == nil)
        book.step(.set(SettingCommand(.aiEnabled(true))))
        #expect(book.reserve(1).outcome.refusal == nil)
    }

    @Test func `refusals are noted so many times an hour and the rest is counted`() {
        let book = book()
        book.step(.set(SettingCommand(.aiEnabled(false))))
        func refused() {
            var command = ReserveCommand(id: book.nextID(), fingerprint: 1, ask: .amount(1), feature: "chat")
            command.origin = CallOrigin(keyID: "k", actor: "ann", address: "1.2.3.4")
            book.step(.reserve(command))
        }
        for _ in 0..<150 { refused() }
        let notes = book.entries.compactMap(\.audit).filter { $0.outcome == .refused }
        #expect(notes.count == 100)
        #expect(notes[0].refusal == "AI_DISABLED" && notes[0].origin.actor == "ann" && notes[0].target == "chat")
        book.move(to: book.now.advanced(microseconds: hour))
        refused()
        #expect(book.entries.last?.audit?.notNoted == 50)
        refused()
        #expect(book.entries.last?.audit?.notNoted == 0)
    }

    @Test func `a grant that is taken back gives what is available and expires what comes back`() {
        let book = book()
        let gift = book.grant(100, .gifted)
        let hold = book.reserve(1_040).id
        #expect(book.balance.held == 1_040)
        let before = book.balance.available
        #expect(book.step(.revoke(RevokeCommand(grant: gift))).answer?.amount == 60)
        #expect(book.balance.available == before - 60)
        book.release(hold)
        #expect(book.balance.available == before - 60 + 1_000)
        #expect(book.step(.revoke(RevokeCommand(grant: gift))).answer?.amount == 60, "the answer of the first time")
        #expect(book.step(.revoke(RevokeCommand(grant: book.nextID()))).refusal == .grantNotFound)
    }
}

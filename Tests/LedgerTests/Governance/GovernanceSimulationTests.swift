import Ledger
import SeededRandom
import Testing

/// Random years of tenants with plans, cycles, limits, overage and what goes with them. `evolve` asserts the conservation
/// law and every column after each entry; here it is shown that sleeping, replaying and restoring lead to the same book.
@Suite struct GovernanceSimulationTests {
    static let plans: [PlanTerms] = [
        .monthly("free", 100).with {
            $0.signUp = [.init(kind: .complimentary, amountMicros: 50, expiresAfterDays: 40)]
            $0.rollover = .init(minimumMicros: 3, maximumMicros: 60, expiresAfterCycles: 2)
        },
        .monthly("pro", 400).with {
            $0.cycle = .anniversary
            $0.trial = .init(days: 10, amountMicros: 30, then: .active)
            $0.overage = .init(capMicros: 80, isBilled: false)
        },
        .monthly("billed", 200).with {
            $0.overage = .init(capMicros: 150, isBilled: true)
            $0.counts = [.active, .grandfathered]
            $0.rollover = .init(minimumMicros: 0, maximumMicros: 1_000, expiresAfterCycles: nil)
        },
        PlanTerms(name: "packs"),
    ]

    /// One thing that a caller may do, made of random numbers: the same numbers do the same to any book in the same state.
    private func act(on book: GovernedBook, _ generator: inout SeededRandom, _ open: inout [StepID]) {
        book.settle()
        let feature = generator.chance(50) ? "chat" : "image"
        let actor = generator.chance(50) ? "ann" : "bob"
        let amount = generator.amount(0...60)
        let pick = Int.random(in: 0..<100, using: &generator)
        let other = generator.next()
        let isEven = other & 1 == 0
        switch pick {
        case 0..<30:
            let ttl = Int64(other % 100) * hour + 1
            open.append(book.reserve(amount, minimum: isEven ? 5 : nil, feature: feature, actor: actor, ttl: ttl).id)
        case 30..<45: open.append(book.charge(amount, feature: feature, actor: actor).id)
        case 45..<60: if let id = open.last(where: { _ in true }) { book.commit(id, amount) }
        case 60..<65: if let id = open.popLast() { book.release(id) }
        case 65..<72: if let id = open.last { book.refund(id, isEven ? nil : amount) }
        case 72..<77: book.grant(amount + 1, isEven ? .gifted : .purchased)
        case 77..<80:
            if let grant = book.grants.last { book.step(.revoke(RevokeCommand(grant: grant.id))) }
        case 80..<88:
            let plan = Self.plans[Int(other % 4)].name
            let rules: [SubscriptionCommand.AllowanceRule] = [.keep, .topUp, .replace]
            book.subscribe(
                pick == 87 ? "" : plan, atCycleEnd: pick == 80, rule: rules[Int(other >> 8) % rules.count])
        case 88..<91:
            let states: [SubscriptionState] = [.active, .grandfathered, .canceled, .pastDue]
            book.subscribe(nil, states[Int(other % 4)], atCycleEnd: pick == 88, rule: isEven ? .topUp : .keep)
        case 91..<93: book.subscribe(zone: isEven ? "jump" : "+5:45")
        case 93..<98:
            let window = LimitWindow.allCases[Int(other % 3)]
            book.limit(
                UsageLimit(scope: .tenant, window: window, soft: .percent(70), hard: .percent(90)),
                UsageLimit(
                    scope: .member, window: .week, member: "ann", hard: .micros(amount * 4), isEnforced: isEven),
                UsageLimit(scope: .memberFeature, window: .day, member: actor, feature: feature, hard: .micros(amount)),
                used: [0, 0, 0])
        default: book.step(.set(SettingCommand(.aiEnabled(isEven || pick == 99))))
        }
    }

    @Test(arguments: 0..<40)
    func `a book that sleeps, one that is looked at all the time, and one that is replayed are the same`(run: Int)
        throws
    {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededRandom(seed: seed)
        let awake = GovernedBook(Self.plans)
        let asleep = GovernedBook(Self.plans)
        var openOfAwake: [StepID] = []
        var openOfAsleep: [StepID] = []
        for _ in 0..<120 {
            let target = awake.now.advanced(microseconds: generator.amount(0...20 * day))
            while awake.now < target {
                awake.move(to: min(target, awake.now.advanced(microseconds: generator.amount(1...3 * day))))
            }
            asleep.now = target
            var again = generator
            act(on: awake, &generator, &openOfAwake)
            act(on: asleep, &again, &openOfAsleep)
        }
        asleep.settle()
        awake.settle()
        let difference = zip(awake.entries, asleep.entries).enumerated().first { $1.0 != $1.1 }
        try #require(difference == nil && awake.entries.count == asleep.entries.count, "seed \(seed)")
        #expect(awake.state.snapshot() == asleep.state.snapshot(), "seed \(seed)")

        var replayed = LedgerState()
        for entry in awake.entries { try replayed.evolve(verifying: entry) }
        #expect(replayed.snapshot() == awake.state.snapshot(), "seed \(seed)")
        try replayed.snapshot().check()

        var bytes: [UInt8] = []
        EntryCodec.encode(awake.state.governance, into: &bytes)
        let governance = try bytes.withUnsafeBytes { bytes in try EntryCodec.decodeGovernance(bytes) }
        var snapshot = awake.state.snapshot()
        snapshot.governance = governance
        let restored = LedgerState(restoring: snapshot)
        #expect(restored.governance == awake.state.governance, "seed \(seed)")
    }

    @Test func `a book that is restored goes on as the one it was`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededRandom(seed: seed)
        let whole = GovernedBook(Self.plans)
        let restored = GovernedBook(Self.plans)
        var (first, second): ([StepID], [StepID]) = ([], [])
        for _ in 0..<2_000 {
            let target = whole.now.advanced(microseconds: generator.amount(0...2 * day))
            whole.move(to: target)
            restored.move(to: target)
            if generator.chance(10) {
                // A restored book does not know what is closed until it is looked up.
                whole.state = LedgerState(restoring: whole.state.snapshot())
                first.removeAll { whole.state.reservation($0) == nil }
                second = first
            }
            var again = generator
            act(on: whole, &generator, &first)
            act(on: restored, &again, &second)
            guard whole.state.snapshot() == restored.state.snapshot() else {
                Issue.record("seed \(seed): the books differ after entry \(whole.entries.count)")
                return
            }
        }
        #expect(whole.entries == restored.entries, "seed \(seed)")
    }
}

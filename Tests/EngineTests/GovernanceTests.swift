import Engine
import Ledger
import Locks
import SeededRandom
import Storage
import Synchronization
import Testing

/// UTC, and one plan with an allowance each calendar month.
private final class MonthlyRules: BookRules {
    func offsetSeconds(of zone: String, at instant: Instant) -> Int64 { 0 }

    func terms(of plan: String, at instant: Instant) -> PlanTerms? {
        var terms = PlanTerms(name: plan)
        terms.allowance = .init(kind: .subscription, amountMicros: 1_000)
        terms.cycle = .calendarMonth
        return terms
    }
}

@Suite struct GovernanceTests {
    private static let day: Int64 = 86_400_000_000
    /// 2026-01-01T00:00:00Z.
    private static let start = Instant(microseconds: 1_767_225_600_000_000)

    private func charge(_ id: StepID, _ amount: Int64, actor: String) -> Command {
        .charge(
            ReserveCommand(id: id, fingerprint: UInt64(amount), ask: .amount(amount), feature: "chat", actor: actor))
    }

    private func isDone(_ step: StepResult) -> Bool {
        if case .success = step.outcome { true } else { false }
    }

    private func limits(_ limits: [UsageLimit]) -> Command {
        .set(SettingCommand(.limits(limits, zone: "UTC", used: [])))
    }

    private func memberLimit(_ micros: Int64) -> UsageLimit {
        UsageLimit(
            scope: .memberFeature, window: .cycle, member: "ann", feature: "chat", hard: .micros(micros))
    }

    @Test func manyCallersMeetAHardLimitToTheMicro() throws {
        let harness = try Harness()
        _ = try harness.step(grant(id(1), 1_000_000))
        _ = try harness.step(limits([memberLimit(1_003)]))
        let outcomes = Protected<[Outcome<Result<StepResult, EngineError>>]>([])
        let threads = (0..<8).map { thread in
            let running = RunningThread()
            running.start { [self] in
                for number in 0..<100 {
                    let outcome = harness.begin(charge(id(100 + thread * 1_000 + number), 7, actor: "ann"))
                    outcomes.withLock { $0.append(outcome) }
                }
            }
            return running
        }
        for thread in threads { thread.join() }
        var charged: Int64 = 0
        var refused = 0
        for outcome in outcomes.withLock({ $0 }) {
            switch try #require(outcome.wait()).get().outcome {
            case .success(let answer): charged += answer.amount
            case .failure(.hardLimitReached): refused += 1
            case .failure(let other): Issue.record("\(other)")
            }
        }
        // 143 times 7 is 1,001: two micros are left, and nobody gets them.
        #expect(charged == 1_001 && refused == 800 - 143)
        #expect(try harness.step(charge(id(20_000), 2, actor: "ann")).outcome.get().amount == 2)
        try harness.verify()
        harness.engine.stop()
    }

    @Test func aLimitThatIsSetUnderLoadCountsEveryChargeOnce() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededRandom(seed: seed)
        let harness = try Harness()
        _ = try harness.step(grant(id(1), 1_000_000_000))
        // Some charges are in the shard, some on their way, and some come while the limit is being set.
        for number in 0..<200 { _ = try harness.step(charge(id(10 + number), 3, actor: "ann")) }
        let isOver = Atomic(false)
        let sum = Protected<Int64>(600)
        let thread = RunningThread()
        thread.start { [self] in
            var number = 1_000
            while !isOver.load(ordering: .acquiring) || number < 3_000 {
                number += 1
                guard let step = try? harness.step(charge(id(number), 3, actor: "ann")), isDone(step) else { continue }
                sum.withLock { $0 += 3 }
            }
        }
        for _ in 0..<20 {
            let micros = Int64.random(in: 500_000_000...900_000_000, using: &random)
            let others = (0..<5).map { UsageLimit(scope: .member, window: .day, member: "m\($0)", hard: .micros(1)) }
            // Taken away and set again: what was used is asked for anew each time.
            _ = try harness.step(limits(others))
            _ = try harness.step(limits(others + [memberLimit(micros)]))
        }
        isOver.store(true, ordering: .releasing)
        thread.join()
        let consumed = try harness.look { state, _ in
            state.governance.limits.items.first { $0.limit.scope == .memberFeature }?.consumed
        }
        #expect(consumed == sum.withLock { $0 }, "seed \(seed)")
        try harness.verify()
        harness.engine.stop()
    }

    @Test func limitsAndWhatStandsAgainstThemOutliveARestart() throws {
        let directory = try TemporaryDirectory()
        let clock = ManualClock(Self.start)
        var harness = try Harness(directory, clock: clock, rules: MonthlyRules())
        _ = try harness.step(.subscribe(SubscriptionCommand(plan: "p")))
        _ = try harness.step(limits([memberLimit(500)]))
        _ = try harness.step(charge(id(1), 100, actor: "ann"))
        _ = try harness.step(
            .reserve(
                ReserveCommand(id: id(2), fingerprint: 1, ask: .amount(150), feature: "chat", actor: "ann")))
        // A refund of what memory has let go of, evolved from the journal alone after the restart.
        for number in 0..<30 { _ = try harness.step(charge(id(10 + number), 1, actor: "bob")) }
        for round in 0..<3 {
            harness.engine.stop()
            harness = try Harness(directory, clock: clock, rules: MonthlyRules()) {
                $0.limits.rememberedSteps = 1
                // What the first round does is in the journal alone when the second begins.
                if round == 0 {
                    $0.limits.flushIntervalMs = 3_600_000
                    $0.limits.maxStopFlushMs = 0
                }
            }
            if round == 0 { _ = try harness.step(refund(id(500), of: id(1), 40)) }
            let item = try harness.look { state, _ in state.governance.limits.items[0] }
            #expect(item.consumed == 60 && item.held == 150)
            #expect(!isDone(try harness.step(charge(id(1_000 + round), 291, actor: "ann"))))
        }
        #expect(isDone(try harness.step(charge(id(2_000), 290, actor: "ann"))))
        try harness.verify()
        harness.engine.stop()
    }

    @Test(arguments: TimeTests.Passing.allCases)
    func cyclesTurnAtTheirExactTimeWhetherAwakeOrAsleep(passing: TimeTests.Passing) throws {
        let directory = try TemporaryDirectory()
        let clock = ManualClock(Self.start)
        func open() throws -> Harness {
            try Harness(directory, clock: clock, rules: MonthlyRules()) {
                $0.partitions = 1
                $0.limits.maxResidentTenants = 1
            }
        }
        var harness = try open()
        _ = try harness.step(.subscribe(SubscriptionCommand(plan: "p")))
        _ = try harness.step(charge(id(1), 10, actor: "ann"))
        for number in 1...40 {
            clock.advance(to: Self.start.advanced(microseconds: Int64(number) * 9 * Self.day))
            switch passing {
            case .awake: harness.engine.tick()
            case .asleep: break
            case .evicted: _ = try harness.totals(tenant(1))
            case .restarted:
                if number % 10 == 0 {
                    harness.engine.stop()
                    harness = try open()
                }
            }
        }
        let entries = try harness.look { state, _ in state.grants.map(\.createdAt) }
        #expect(entries.count == 12)
        #expect(Set(entries).count == 12)
        let book = try harness.entries()
        #expect(book.filter { $0.kind == .cycle }.count == 11)
        #expect(book.filter { $0.kind == .grantExpiry }.count == 11)
        try harness.verify()
        harness.engine.stop()
    }

    @Test func aCycleAndItsGrantsAreNeverPartedHoweverManyEnd() throws {
        let directory = try TemporaryDirectory()
        let clock = ManualClock(Self.start)
        func open() throws -> Harness {
            try Harness(directory, clock: clock, rules: MonthlyRules()) { $0.limits.maxEntriesPerRecord = 4 }
        }
        var harness = try open()
        _ = try harness.step(.subscribe(SubscriptionCommand(plan: "p")))
        clock.advance(to: Self.start.advanced(microseconds: 3_700 * Self.day))
        // The journal takes no more than some of the records that come of it.
        let grants = try harness.look { state, _ in state.grants.count }
        try #require(grants > 100)
        var starts: [Bool] = []
        try harness.journal.replay(after: 0) { (_, _, record) throws(StorageError) in
            guard let entries = try? EntryCodec.decodeRecord(record) else { return starts.append(false) }
            // A record never begins with a grant that came with a cycle.
            if let first = entries.first, first.kind == .grant { starts.append(false) }
        }
        #expect(starts.isEmpty)
        harness.engine.stop()
        harness = try open()
        #expect(try harness.look { state, _ in state.grants.count } == grants)
        try harness.verify()
        harness.engine.stop()
    }
}

import Ledger
import Testing

@Suite struct CycleTests {
    @Test func `a subscription begins with its credits on sign-up and a whole allowance`() {
        let plan = PlanTerms.monthly().with {
            $0.signUp = [.init(kind: .complimentary, amountMicros: 7, expiresAfterDays: 10)]
        }
        let book = GovernedBook([plan])
        book.subscribe("monthly")
        #expect(book.grants.map(\.amount) == [7, 100])
        #expect(book.grants.map(\.origin) == [.signUp, .allowance])
        #expect(book.grants[0].expiresAt == moment(2026, 2, 10, hour: 10))
        #expect(book.grants[1].expiresAt == moment(2026, 2, 1))
        #expect(book.state.governance.subscription?.state == .active)
    }

    @Test func `credits on sign-up come once for ever`() {
        let plan = PlanTerms.monthly().with {
            $0.signUp = [.init(kind: .complimentary, amountMicros: 7, expiresAfterDays: nil)]
        }
        let book = GovernedBook([plan, plan.with { $0.name = "other" }])
        book.subscribe("monthly")
        book.subscribe("")
        book.subscribe("other")
        #expect(book.grants.filter { $0.origin == .signUp }.count == 1)
        #expect(book.grants.filter { $0.origin == .allowance }.count == 2)
    }

    @Test func `a month turns at its first moment with one expiry and one grant`() {
        let book = GovernedBook([.monthly()])
        book.subscribe("monthly")
        book.charge(30)
        book.move(to: moment(2026, 3, 15))
        let kinds = book.entries.suffix(6).map(\.kind)
        #expect(kinds == [.grantExpiry, .cycle, .grant, .grantExpiry, .cycle, .grant])
        #expect(book.entries.suffix(6).map(\.at) == [moment(2026, 2, 1), moment(2026, 3, 1)].flatMap { [$0, $0, $0] })
        #expect(book.entries.suffix(6).map(\.amount) == [70, 0, 100, 100, 0, 100])
        #expect(book.balance.available == 100)
    }

    @Test func `a tenant asleep has the same book as one that was looked at each hour`() {
        let plan = PlanTerms.monthly().with {
            $0.rollover = .init(minimumMicros: 5, maximumMicros: 30, expiresAfterCycles: 2)
            $0.cycle = .anniversary
        }
        let awake = GovernedBook([plan])
        let asleep = GovernedBook([plan])
        for book in [awake, asleep] {
            book.subscribe("monthly", zone: "jump")
            book.charge(55)
        }
        let end = moment(2028, 3, 31)
        var now = awake.now
        while now < end {
            now = now.advanced(microseconds: hour)
            awake.move(to: min(now, end))
        }
        asleep.move(to: end)
        #expect(awake.entries == asleep.entries)
        #expect(awake.state.snapshot() == asleep.state.snapshot())
    }

    @Test func `the anchor is kept for ever and clamped to short months`() {
        let book = GovernedBook([.monthly().with { $0.cycle = .anniversary }])
        book.subscribe("monthly")
        book.move(to: moment(2028, 4, 1))
        let turns = book.entries.filter { $0.kind == .cycle }.map(\.at)
        #expect(
            Array(turns.prefix(4)) == [
                moment(2026, 2, 28), moment(2026, 3, 31), moment(2026, 4, 30), moment(2026, 5, 31),
            ])
        #expect(turns.contains(moment(2028, 2, 29)))
        #expect(book.state.governance.subscription?.anchorDay == 31)
    }

    @Test func `a midnight that does not exist is the first moment after it and one that exists twice is the earlier`()
    {
        // Day 20,600 is 2026-05-27, day 20,700 is 2026-09-04.
        let gap = GovernedBook([.monthly().with { $0.cycle = .anniversary }], at: moment(2026, 4, 27, hour: 12))
        gap.subscribe("monthly", zone: "jump")
        #expect(gap.state.governance.subscription?.cycle?.end == moment(2026, 5, 26, hour: 23))
        let twice = GovernedBook([.monthly().with { $0.cycle = .anniversary }], at: moment(2026, 8, 4, hour: 12))
        twice.subscribe("monthly", zone: "jump")
        #expect(twice.state.governance.subscription?.cycle?.end == moment(2026, 9, 3, hour: 22))
        let plain = GovernedBook([.monthly()], at: moment(2026, 4, 27, hour: 12))
        plain.subscribe("monthly", zone: "+5:45")
        #expect(
            plain.state.governance.subscription?.cycle?.end
                == moment(2026, 4, 30, hour: 18).advanced(microseconds: 15 * minute))
    }

    @Test(arguments: [(10, 0), (40, 40), (90, 50)])
    func `what is left rolls over between the minimum and the maximum`(left: Int64, rolled: Int64) {
        let plan = PlanTerms.monthly().with {
            $0.rollover = .init(minimumMicros: 20, maximumMicros: 50, expiresAfterCycles: 1)
        }
        let book = GovernedBook([plan])
        book.subscribe("monthly")
        book.charge(100 - left)
        book.move(to: moment(2026, 2, 1))
        #expect(book.balance.available == 100 + rolled)
        #expect(book.grants.filter { $0.origin == .rollover }.map(\.amount) == (rolled == 0 ? [] : [rolled]))
        book.charge(100 + rolled)
        book.move(to: moment(2026, 3, 1))
        #expect(book.balance.available == 100, "what rolled over does not roll over again")
    }

    @Test func `a trial has its own credits and ends in the state that the plan says`() {
        let plan = PlanTerms.monthly().with { $0.trial = .init(days: 14, amountMicros: 20, then: .pastDue) }
        let book = GovernedBook([plan])
        book.subscribe("monthly")
        #expect(book.state.governance.subscription?.state == .trial)
        #expect(book.grants.map(\.origin) == [.trial])
        let end = moment(2026, 2, 14, hour: 10)
        book.move(to: end.advanced(microseconds: -1))
        #expect(book.balance.available == 20)
        book.move(to: end)
        #expect(book.balance.available == 100)
        #expect(book.state.governance.subscription?.state == .pastDue)
        #expect(book.state.governance.subscription?.cycle?.end == moment(2026, 3, 1))
        #expect(book.state.governance.subscription?.anchorDay == 14)
    }

    @Test func `a trial that is paid for ends at once`() {
        let plan = PlanTerms.monthly().with { $0.trial = .init(days: 14, amountMicros: 20, then: .canceled) }
        let book = GovernedBook([plan])
        book.subscribe("monthly")
        book.subscribe(nil, .active)
        #expect(book.grants.map(\.amount) == [20, 100])
        book.subscribe("", nil)
        book.subscribe("monthly")
        #expect(book.state.governance.subscription?.state == .active, "there is one trial")
    }

    @Test func `a state that does not count brings no allowance`() {
        let book = GovernedBook([.monthly()])
        book.subscribe("monthly")
        book.subscribe(nil, .canceled)
        book.move(to: moment(2026, 3, 2))
        #expect(book.balance.available == 0)
        #expect(book.entries.filter { $0.kind == .cycle }.count == 2)
        book.subscribe(nil, .active, rule: .topUp)
        #expect(book.balance.available == 100)
    }

    @Test(
        arguments: [
            (SubscriptionCommand.AllowanceRule.keep, 90, 100), (.topUp, 290, 300), (.replace, 300, 300),
        ] as [(SubscriptionCommand.AllowanceRule, Int64, Int64)])
    func `a change of plan at once does to the allowance what the rule says`(
        rule: SubscriptionCommand.AllowanceRule, available: Int64, basis: Int64
    ) {
        let book = GovernedBook([.monthly(), .monthly("large", 300)])
        book.subscribe("monthly")
        book.charge(10)
        book.subscribe("large", rule: rule)
        #expect(book.balance.available == available)
        #expect(book.state.governance.subscription?.cycle?.allowanceMicros == basis)
        let count = book.entries.count
        book.subscribe("large", rule: rule)
        #expect(book.entries.count == count, "the same change again changes nothing")
        book.move(to: moment(2026, 2, 1))
        #expect(book.balance.available == 300)
    }

    @Test
    func
        `a smaller plan takes nothing by topping up, and what is held of a replaced allowance expires when it comes back`()
    {
        let book = GovernedBook([.monthly(), .monthly("small", 40)])
        book.subscribe("monthly")
        let hold = book.reserve(25).id
        book.subscribe("small", rule: .topUp)
        #expect(book.balance == BalanceAfter(available: 75, held: 25))
        book.subscribe("monthly", rule: .replace)
        #expect(book.balance == BalanceAfter(available: 100, held: 25))
        book.release(hold)
        #expect(book.balance == BalanceAfter(available: 100, held: 0))
        book.move(to: moment(2026, 2, 1))
        #expect(book.balance.available == 100)
    }

    @Test func `a change at the cycle's end waits for it and the last word counts`() {
        let book = GovernedBook([.monthly(), .monthly("large", 300)])
        book.subscribe("monthly")
        book.subscribe("large", atCycleEnd: true)
        book.subscribe(nil, .grandfathered, atCycleEnd: true)
        #expect(book.balance.available == 100)
        book.move(to: moment(2026, 2, 1))
        #expect(book.balance.available == 300)
        #expect(book.state.governance.subscription?.state == .grandfathered)
        book.subscribe("monthly", atCycleEnd: true)
        book.subscribe("large", atCycleEnd: true)
        #expect(book.state.governance.subscription?.nextPlan == nil)
        book.subscribe("", atCycleEnd: true)
        book.move(to: moment(2026, 3, 1))
        #expect(book.state.governance.subscription == nil)
        #expect(book.balance.available == 0)
    }

    @Test func `what cannot be is refused`() {
        let book = GovernedBook([.monthly()])
        #expect(book.subscribe("none").refusal == .planNotFound)
        #expect(book.subscribe(nil, .active).refusal == .noSubscription)
        #expect(book.subscribe("monthly", atCycleEnd: true).refusal == .noCycle)
    }

    @Test func `a zone changes at once and the running cycle ends as it was to end`() {
        let book = GovernedBook([.monthly()])
        book.subscribe("monthly")
        book.subscribe(zone: "+5:45")
        #expect(book.state.governance.subscription?.cycle?.end == moment(2026, 2, 1))
        book.move(to: moment(2026, 2, 1))
        #expect(
            book.state.governance.subscription?.cycle?.end
                == moment(2026, 2, 28, hour: 18).advanced(microseconds: 15 * minute))
    }

    @Test func `an entry that would turn a cycle twice is found out`() throws {
        let book = GovernedBook([.monthly()])
        book.subscribe("monthly")
        book.move(to: moment(2026, 2, 1))
        var again = try #require(book.entries.last { $0.kind == .cycle })
        again.sequence = book.state.sequence + 1
        again.after = book.balance
        #expect(throws: Contradiction.detail) { try book.state.evolve(verifying: again) }
    }
}

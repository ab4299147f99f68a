import Ledger
import Testing

@Suite struct OverageTests {
    private static func plan(cap: Int64, billed: Bool = false) -> PlanTerms {
        .monthly().with { $0.overage = .init(capMicros: cap, isBilled: billed) }
    }

    @Test func `use goes on past zero up to the cap and is owed`() {
        let book = GovernedBook([Self.plan(cap: 50)])
        book.subscribe("monthly")
        #expect(book.charge(151).outcome.refusal == .insufficientCredits(neededMicros: 151, availableMicros: 150))
        book.charge(130)
        #expect(book.balance.available == 0)
        #expect(book.state.overage.owed == 30)
        let hold = book.reserve(20)
        #expect(hold.outcome.refusal == nil)
        #expect(book.reserve(1).outcome.refusal == .insufficientCredits(neededMicros: 1, availableMicros: 0))
        book.commit(hold.id, 5)
        #expect(book.state.overage == Overage(held: 0, consumed: 35, paid: 0))
        #expect(book.state.totals.isConserved)
    }

    @Test func `what is owed is paid first by the next grant`() {
        let book = GovernedBook([Self.plan(cap: 50)])
        book.subscribe("monthly")
        book.charge(130)
        book.grant(10)
        #expect(book.balance.available == 0)
        #expect(book.state.overage.owed == 20)
        book.grant(100)
        #expect(book.balance.available == 80)
        #expect(book.state.overage.owed == 0)
        #expect(book.grants.suffix(2).map(\.paid) == [10, 20])
    }

    @Test func `a refund lowers what is owed and then goes back to those who paid, the latest first`() {
        let book = GovernedBook([Self.plan(cap: 50)])
        book.subscribe("monthly")
        let charge = book.charge(150).id
        book.grant(10)
        book.grant(15)
        #expect(book.state.overage.owed == 25)
        book.refund(charge, 30)
        #expect(book.state.overage == Overage(held: 0, consumed: 20, paid: 20))
        #expect(book.grants.suffix(2).map(\.paid) == [10, 10])
        #expect(book.balance.available == 5)
        book.refund(charge)
        #expect(book.state.overage == Overage())
        #expect(book.balance.available == 125)
        #expect(book.state.totals.isConserved)
    }

    @Test func `what pays comes back to a grant that is over and expires`() {
        let book = GovernedBook([Self.plan(cap: 50)])
        book.subscribe("monthly")
        let charge = book.charge(120).id
        book.move(to: moment(2026, 2, 1))
        #expect(book.balance.available == 80, "the allowance paid what was owed")
        book.move(to: moment(2026, 3, 1))
        book.refund(charge, 20)
        #expect(book.balance.available == 100)
        #expect(book.grants[1].paid == 0)
        #expect(book.grants[1].expired == 100)
    }

    @Test func `billed overage is owed no more after its cycle`() {
        let book = GovernedBook([Self.plan(cap: 50, billed: true)])
        book.subscribe("monthly")
        book.charge(140)
        book.move(to: moment(2026, 2, 1))
        #expect(book.balance.available == 100)
        #expect(book.state.overage.owed == 0)
        #expect(book.grants.map(\.origin) == [.allowance, .billedOverage, .allowance])
        #expect(book.grants[1].amount == 40)
    }

    @Test func `draws go back in the reverse of their order, also where a newer grant came after overage`() {
        let book = GovernedBook([Self.plan(cap: 50)])
        book.subscribe("monthly")
        let hold = book.reserve(120).id
        book.grant(30)
        book.commit(hold, 130)
        #expect(book.state.overage.owed == 20)
        #expect(book.balance.available == 20)
        book.refund(hold, 10)
        #expect(book.balance.available == 30)
        book.refund(hold, 15)
        #expect(book.state.overage.owed == 5)
    }

    @Test func `a commit may go beyond its hold as far as the cap and no further`() {
        let book = GovernedBook([Self.plan(cap: 50)])
        book.subscribe("monthly")
        let hold = book.reserve(100).id
        #expect(book.commit(hold, 151).refusal == .insufficientCredits(neededMicros: 51, availableMicros: 50))
        #expect(book.commit(hold, 150).refusal == nil)
    }

    @Test func `a subscription that does not count has no overage`() {
        let book = GovernedBook([Self.plan(cap: 50)])
        book.subscribe("monthly")
        book.subscribe(nil, .canceled)
        #expect(book.charge(101).outcome.refusal != nil)
    }
}

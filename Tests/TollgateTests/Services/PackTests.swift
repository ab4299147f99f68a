import Ledger
import Testing
import TollgateSchema

@testable import Tollgate

@Suite("Packs are shown side by side, to those who may buy them")
struct PackTests {
    private func pack(_ id: String, credits: Int64, minorUnits: Int64, isPopular: Bool = false) -> Tollgate.Pack {
        .init(
            id: id, name: id, amountMicros: credits * 1_000_000, price: Price(currency: "USD", minorUnits: minorUnits),
            isPopular: isPopular)
    }

    @Test("savings are against the dearest credit, and the cheapest is the best value")
    func shelf() {
        let shelf = TollgateSchema.Pack.shelf([
            pack("starter", credits: 1_000, minorUnits: 1_000),
            pack("professional", credits: 5_500, minorUnits: 5_000, isPopular: true),
            pack("enterprise", credits: 28_000, minorUnits: 25_000),
            pack("ultimate", credits: 58_000, minorUnits: 50_000),
        ])
        #expect(shelf.map(\.savingsPercent) == [0, 9, 10, 13])
        #expect(shelf.map(\.bestValue) == [false, false, false, true])
        #expect(shelf.map(\.popular) == [false, true, false, false])
        #expect(shelf.map(\.pricePerCreditMillionths) == [1_000_000, 909_090, 892_857, 862_068])
    }

    @Test("there is no best value where there is no difference")
    func noDifference() {
        #expect(TollgateSchema.Pack.shelf([]).isEmpty)
        #expect(TollgateSchema.Pack.shelf([pack("a", credits: 1, minorUnits: 1)]).map(\.bestValue) == [false])
        let same = [pack("a", credits: 1, minorUnits: 1), pack("b", credits: 2, minorUnits: 2)]
        #expect(TollgateSchema.Pack.shelf(same).map(\.bestValue) == [false, false])
        #expect(TollgateSchema.Pack.shelf(same).map(\.savingsPercent) == [0, 0])
    }

    @Test("the largest numbers that a catalog may have do no harm")
    func extremes() {
        let dear = Tollgate.Pack(
            id: "a", name: "", amountMicros: 1, price: Price(currency: "USD", minorUnits: Limits.maxMinorUnits))
        let cheap = Tollgate.Pack(
            id: "b", name: "", amountMicros: Limits.maxCatalogMicros, price: Price(currency: "USD", minorUnits: 1))
        let shelf = TollgateSchema.Pack.shelf([dear, cheap])
        #expect(shelf.map(\.pricePerCreditMillionths) == [.max, 0])
        #expect(shelf.map(\.savingsPercent) == [0, 99])
    }

    @Test(
        "who may not buy is told why",
        arguments: [
            (.active, [.active], true, nil), (.grandfathered, [.active, .grandfathered], true, nil),
            (.trial, [.active], true, .trial), (.active, [], true, .plan), (.trial, [], true, .trial),
            (.pastDue, [.active], true, .state(.pastDue)), (.canceled, [.active], true, .state(.canceled)),
            (.active, [.active], false, .noPacks), (.active, [], false, .plan),
        ] as [(Ledger.SubscriptionState, SubscriptionStates, Bool, PurchaseHindrance?)])
    func hindrance(
        state: Ledger.SubscriptionState, packs: SubscriptionStates, hasPacks: Bool, expected: PurchaseHindrance?
    ) {
        var terms = PlanTerms(name: "p")
        terms.packs = packs
        let shelf = hasPacks ? [pack("a", credits: 1, minorUnits: 1)] : []
        let found = PurchaseHindrance(Ledger.Subscription(terms: terms, state: state), packs: shelf)
        #expect(found == expected)
        #expect(found?.text.isEmpty != true)
        #expect(PurchaseHindrance(nil, packs: shelf) == .noPlan)
    }

    @Test(
        "what a credit of overage costs is rounded up",
        arguments: [(40, 1_000_000, 40), (1, 3_000_000, 1), (10, 3_000_000, 4), (1, 1, 1_000_000)]
            as [(Int64, Int64, Int64)])
    func overage(minorUnits: Int64, perMicros: Int64, expected: Int64) {
        let price = OveragePrice(price: Price(currency: "USD", minorUnits: minorUnits), perMicros: perMicros)
        #expect(Money(perCredit: price).minorUnits == expected)
    }
}

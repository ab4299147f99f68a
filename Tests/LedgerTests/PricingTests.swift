import Ledger
import Testing

/// Prices: lines rounded up once, qualities, what cannot be priced, and the versions that reservations keep.
@Suite struct PricingTests {
    static let price = FeaturePrice(
        feature: "chat",
        units: [
            UnitPrice(unit: "input", amountMicros: 10, per: 3), UnitPrice(unit: "output", amountMicros: 7, per: 1),
        ], qualityPercent: [100, 50, 100, 250])

    @Test(
        arguments: [
            (0, .medium, 0), (1, .medium, 4), (2, .medium, 7), (3, .medium, 10), (1, .cheap, 2), (3, .cheap, 5),
            (1, .best, 9), (1, .unspecified, 4),
        ] as [(Int64, Quality, Int64)])
    func `a line is rounded up to a whole micro once`(count: Int64, quality: Quality, amount: Int64) throws {
        let lines = try Self.price.lines(for: [Quantity(unit: "input", count: count)], quality: quality)
        #expect(lines.map(\.amountMicros) == [amount])
        #expect(try Self.price.cost(for: [Quantity(unit: "input", count: count)], quality: quality) == amount)
    }

    @Test func `the cost is the sum of the lines`() throws {
        let quantities = [Quantity(unit: "input", count: 1), Quantity(unit: "output", count: 2)]
        #expect(try Self.price.cost(for: quantities, quality: .medium) == 18)
        #expect(try Self.price.lines(for: quantities, quality: .medium).map(\.amountMicros) == [4, 14])
    }

    @Test func `what cannot be priced says why`() {
        #expect(throws: PricingError.noQuantities) { try Self.price.cost(for: [], quality: .medium) }
        #expect(throws: PricingError.noQuantities) { try Self.price.lines(for: [], quality: .medium) }
        #expect(throws: PricingError.unknownUnit("pages")) {
            try Self.price.cost(for: [Quantity(unit: "pages", count: 1)], quality: .medium)
        }
        #expect(throws: PricingError.negativeQuantity(unit: "input")) {
            try Self.price.cost(for: [Quantity(unit: "input", count: -1)], quality: .medium)
        }
        #expect(throws: PricingError.overflow(unit: "output")) {
            try Self.price.cost(for: [Quantity(unit: "output", count: .max)], quality: .medium)
        }
        #expect(throws: PricingError.overflow(unit: "output")) {
            try Self.price.lines(
                for: [Quantity(unit: "output", count: .max / 7), Quantity(unit: "output", count: 1)], quality: .medium)
        }
    }

    @Test func `products beyond 64 bits are exact where the cost fits`() throws {
        let price = FeaturePrice(feature: "x", units: [UnitPrice(unit: "u", amountMicros: .max, per: .max)])
        #expect(try price.cost(for: [Quantity(unit: "u", count: .max)], quality: .medium) == .max)
        let dear = FeaturePrice(
            feature: "x", units: [UnitPrice(unit: "u", amountMicros: .max, per: .max)],
            qualityPercent: [100, 100, .max, 100])
        #expect(throws: PricingError.overflow(unit: "u")) {
            try dear.cost(for: [Quantity(unit: "u", count: .max)], quality: .medium)
        }
    }

    private func reserve(_ number: Int, _ price: FeaturePrice?, quality: Quality = .medium) -> Command {
        .reserve(
            ReserveCommand(
                id: id(number), fingerprint: 2,
                ask: .quantities(
                    [Quantity(unit: "output", count: 10)], quality: quality, price: price.map { PriceSchedule($0) }),
                feature: "chat"))
    }

    private func commit(_ number: Int, _ unit: String = "output") -> Command {
        .commit(
            CommitCommand(
                reservation: id(number), fingerprint: 4,
                ask: .quantities([Quantity(unit: unit, count: 4)], quality: .best, price: nil)))
    }

    private static func price(ofOutput amountMicros: Int64) -> FeaturePrice {
        var units = price.units
        units[1].amountMicros = amountMicros
        return FeaturePrice(feature: price.feature, units: units, qualityPercent: price.qualityPercent)
    }

    @Test func `a price becomes an entry of the book when a reservation first names it`() {
        let book = TestBook()
        book.grant(1_000)
        #expect(book.step(reserve(1, Self.price)).entries.map(\.kind) == [.price, .reserve])
        #expect(book.step(reserve(2, Self.price)).entries.map(\.kind) == [.reserve])
        let dearer = Self.price(ofOutput: 20)
        #expect(book.step(reserve(3, dearer)).outcome.answer?.reservation?.terms.priceVersion == 2)
        // A price that returns is another version: a version is a feature's price from then on.
        #expect(book.step(reserve(4, Self.price)).outcome.answer?.reservation?.terms.priceVersion == 3)
        #expect(book.state.price(version: 2) == dearer)
        #expect(book.state.price(version: 4) == nil)
    }

    @Test func `a reservation keeps the price and quality at which it was made`() {
        let book = TestBook()
        book.grant(1_000)
        _ = book.step(reserve(1, Self.price, quality: .cheap))
        let dearer = Self.price(ofOutput: 20)
        _ = book.step(reserve(2, dearer))
        #expect(book.outcome(commit(1)).answer?.amount == 14)
        #expect(book.outcome(commit(2)).answer?.amount == 80)
    }

    @Test func `quantities need a price`() {
        let book = TestBook()
        book.grant(1_000)
        book.reserve(1, 10)
        #expect(book.outcome(commit(1)).refusal == .price(.unknownUnit("output")))
        #expect(book.outcome(reserve(2, nil)).refusal == .price(.unknownFeature))
        _ = book.step(reserve(3, Self.price))
        #expect(book.outcome(commit(3, "pages")).refusal == .price(.unknownUnit("pages")))
        #expect(book.progress(3)?.state == .open)
    }

    @Test func `what is free costs nothing, with no credits at all`() {
        let book = TestBook()
        let free = Self.price(ofOutput: 0)
        #expect(book.outcome(reserve(1, free)).answer?.amount == 0)
        #expect(book.outcome(commit(1)).answer?.reservation?.progress.state == .committed)
    }

    @Test func `a refused step leaves no price behind`() {
        let book = TestBook()
        #expect(book.step(reserve(1, Self.price)).entries.map(\.kind) == [.refusal])
        #expect(book.state.price(version: 1) == nil)
    }
}

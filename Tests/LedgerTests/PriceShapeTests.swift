import Ledger
import SeededRandom
import Testing

/// Prices beyond a price for each unit: sizes, fixed prices, minimums, and prices that come into force at a moment.
@Suite struct PriceShapeTests {
    private static let credit: Int64 = 1_000_000

    private func feature(
        _ units: [UnitPrice], qualityPercent: [Int64] = [100, 100, 100, 100], fixed: Int64? = nil, minimum: Int64 = 0
    ) -> FeaturePrice {
        FeaturePrice(
            feature: "x", units: units, qualityPercent: qualityPercent, fixedMicros: fixed, minimumMicros: minimum)
    }

    private func cost(_ price: FeaturePrice, _ unit: String, _ count: Int64, _ quality: Quality = .medium) throws
        -> Int64
    {
        let quantities = [Quantity(unit: unit, count: count)]
        let cost = try price.cost(for: quantities, quality: quality)
        #expect(try price.lines(for: quantities, quality: quality).reduce(0) { $0 + $1.amountMicros } == cost)
        return cost
    }

    // MARK: - What products sell

    @Test(arguments: [("text_to_image", 8), ("erase", 7), ("upscale", 0)] as [(String, Int64)])
    func `an action costs its credits, and may cost none`(action: String, credits: Int64) throws {
        let price = FeaturePrice(
            feature: action, units: [UnitPrice(unit: "actions", amountMicros: credits * Self.credit, per: 1)])
        #expect(try cost(price, "actions", 1) == credits * Self.credit)
        #expect(try cost(price, "actions", 3) == 3 * credits * Self.credit)
        let fixed = FeaturePrice(feature: action, units: [], fixedMicros: credits * Self.credit)
        #expect(try fixed.cost(for: [], quality: .medium) == credits * Self.credit)
    }

    @Test(arguments: [(0, 0), (1, 10), (4, 40), (5, 50)] as [(Int64, Int64)])
    func `ten credits a scenario`(scenarios: Int64, credits: Int64) throws {
        let price = feature([UnitPrice(unit: "scenarios", amountMicros: 10 * Self.credit, per: 1)])
        #expect(try cost(price, "scenarios", scenarios) == credits * Self.credit)
    }

    /// A megapixel costs a credit: a small one from 1 to 4 credits, a large one from 5 to 8.
    private static let screenshot = UnitPrice(
        unit: "kilopixels",
        tiers: [
            PriceTier(
                name: "small", from: 1, amountMicros: credit, per: 1_000, minimumMicros: credit,
                maximumMicros: 4 * credit),
            PriceTier(
                name: "large", from: 4_001, amountMicros: credit, per: 1_000, minimumMicros: 5 * credit,
                maximumMicros: 8 * credit),
        ])

    @Test(
        arguments: [
            (0, "small", 0), (1, "small", 1_000_000), (1_001, "small", 1_001_000), (2_500, "small", 2_500_000),
            (4_000, "small", 4_000_000), (4_001, "large", 5_000_000), (6_000, "large", 6_000_000),
            (8_000, "large", 8_000_000), (90_000, "large", 8_000_000), (.max, "large", 8_000_000),
        ] as [(Int64, String, Int64)])
    func `a size is priced whole, within its bounds`(count: Int64, tier: String, amount: Int64) throws {
        let price = feature([Self.screenshot])
        #expect(try cost(price, "kilopixels", count) == amount)
        let lines = try price.lines(for: [Quantity(unit: "kilopixels", count: count)], quality: .medium)
        #expect(
            lines == [
                PriceLine(
                    kind: .unit, quantity: Quantity(unit: "kilopixels", count: count), unitMicros: Self.credit,
                    per: 1_000, tier: tier, qualityPercent: 100, amountMicros: amount)
            ])
    }

    // MARK: - The rules

    @Test(arguments: [(.cheap, 7), (.medium, 13), (.best, 25), (.unspecified, 13)] as [(Quality, Int64)])
    func `a quality counts for units and for what is fixed, each line rounded up once`(
        quality: Quality, amount: Int64
    ) throws {
        // 3 of 10 for 3 and 3 fixed: at half the price 5 and 1.5, at twice the price 20 and 6 (rounded up).
        let price = feature(
            [UnitPrice(unit: "u", amountMicros: 10, per: 3)], qualityPercent: [100, 50, 100, 190], fixed: 3)
        #expect(try cost(price, "u", 3, quality) == amount)
    }

    @Test(arguments: [(.cheap, 5), (.medium, 9), (.best, 20)] as [(Quality, Int64)])
    func `a tier's own fixed price is rounded with its units, and its bounds know no quality`(
        quality: Quality, amount: Int64
    ) throws {
        let tier = PriceTier(
            name: "t", from: 0, amountMicros: 1, per: 3, fixedMicros: 5, minimumMicros: 5, maximumMicros: 20)
        let price = feature([UnitPrice(unit: "u", tiers: [tier])], qualityPercent: [100, 50, 100, 300])
        #expect(try cost(price, "u", 10, quality) == amount)
    }

    @Test func `a quantity below the first tier is priced by the first`() throws {
        let unit = UnitPrice(
            unit: "u",
            tiers: [PriceTier(name: "a", from: 10, amountMicros: 2), PriceTier(name: "b", from: 20, amountMicros: 1)])
        #expect(unit.tier(of: 1)?.name == "a")
        #expect(try cost(feature([unit]), "u", 1) == 2)
        #expect(try cost(feature([unit]), "u", 19) == 38)
        #expect(try cost(feature([unit]), "u", 20) == 20)
    }

    @Test
    func `the minimum is compared with the sum, knows no quality, and like the fixed price is not asked of a part`()
        throws
    {
        let price = feature(
            [UnitPrice(unit: "u", amountMicros: 4, per: 1)], qualityPercent: [100, 50, 100, 200], fixed: 2, minimum: 20)
        let few = [Quantity(unit: "u", count: 3)]
        #expect(try cost(price, "u", 3, .cheap) == 20)
        #expect(try cost(price, "u", 3, .best) == 28)
        #expect(try price.cost(for: few, quality: .medium, isPartial: true) == 12)
        let lines = try price.lines(for: few, quality: .medium)
        #expect(lines.map(\.kind) == [.unit, .fixed, .minimum])
        #expect(lines.map(\.amountMicros) == [12, 2, 6])
        #expect(lines.last?.qualityPercent == 100)
        #expect(try price.lines(for: few, quality: .medium, isPartial: true).map(\.kind) == [.unit])
    }

    @Test func `sums that do not fit are refused`() {
        let price = feature(
            [UnitPrice(unit: "u", amountMicros: 1, per: 1)], qualityPercent: [100, 100, 100, 200], fixed: .max)
        #expect(throws: PricingError.overflow(unit: "u")) { try cost(price, "u", 1) }
        #expect(throws: PricingError.overflow(unit: "u")) {
            try price.lines(for: [Quantity(unit: "u", count: 1)], quality: .medium)
        }
        #expect(throws: PricingError.overflow(unit: "")) { try price.cost(for: [], quality: .best) }
    }

    @Test func `what a line costs is the smallest amount that covers it`() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededRandom(seed: seed)
        for _ in 0..<20_000 {
            let per = generator.amount(1...1_000)
            let micros = generator.amount(0...1_000)
            let fixed = generator.amount(0...50)
            let percent = generator.amount(0...400)
            let count = generator.amount(0...10_000)
            let exact = (Int128(fixed) * Int128(per) + Int128(count) * Int128(micros)) * Int128(percent)
            let divisor = Int128(per) * 100
            let tier = PriceTier(name: "t", from: 0, amountMicros: micros, per: per, fixedMicros: fixed)
            let percents = [percent, percent, percent, percent]
            let tiered = try cost(feature([UnitPrice(unit: "u", tiers: [tier])], qualityPercent: percents), "u", count)
            if count > 0 {
                #expect(Int128(tiered) * divisor >= exact, "seed \(seed)")
                #expect((Int128(tiered) - 1) * divisor < exact, "seed \(seed)")
            } else {
                #expect(tiered == 0, "seed \(seed)")
            }
            let plain = try cost(
                feature([UnitPrice(unit: "u", amountMicros: micros, per: per)], qualityPercent: percents), "u", count)
            let exactPlain = Int128(count) * Int128(micros) * Int128(percent)
            #expect(Int128(plain) * divisor >= exactPlain, "seed \(seed)")
            #expect(plain == 0 || (Int128(plain) - 1) * divisor < exactPlain, "seed \(seed)")
        }
    }

    @Test func `a price of every shape is read back from its entry, and no part of the entry is one`() throws {
        let price = FeaturePrice(
            feature: "x", units: [Self.screenshot, UnitPrice(unit: "u", amountMicros: 3, per: 7)],
            qualityPercent: [100, 50, 100, 250], fixedMicros: 0, minimumMicros: 9)
        let entry = Entry(
            sequence: 1, at: start, kind: .price, after: BalanceAfter(available: 0, held: 0),
            detail: .price(version: 1, price))
        var bytes: [UInt8] = []
        EntryCodec.encode(entry, into: &bytes)
        #expect(try bytes.withUnsafeBytes { try EntryCodec.decode($0) } == entry)
        for end in bytes.indices {
            #expect(throws: CodecError.self) {
                try bytes[..<end].withUnsafeBytes { try EntryCodec.decode($0) }
            }
        }
    }

    // MARK: - In a book

    private func open(_ number: Int, _ price: PriceSchedule?, _ quantities: [Quantity] = []) -> ReserveCommand {
        ReserveCommand(
            id: id(number), fingerprint: 2, ask: .quantities(quantities, quality: .medium, price: price), feature: "x")
    }

    private func commit(_ number: Int, _ quantities: [Quantity] = [], partial: Bool = false) -> Command {
        .commit(
            CommitCommand(
                reservation: id(number), id: partial ? id(100 + number) : nil, fingerprint: 4,
                ask: .quantities(quantities, quality: .unspecified, price: nil), partial: partial))
    }

    @Test func `what has a fixed price needs no quantities`() {
        let book = TestBook()
        book.grant(1_000)
        let price = PriceSchedule(feature([], fixed: 8))
        #expect(book.outcome(.reserve(open(1, price))).answer?.amount == 8)
        #expect(book.outcome(commit(1)).answer?.amount == 8)
        let charged = book.outcome(.charge(open(2, price))).answer
        #expect(charged?.amount == 8)
        #expect(charged?.reservation?.terms.priceVersion == 1)
        #expect(book.state.balance.available == 984)
    }

    @Test func `a quote is what a reserve would come to, at the quality and with the refusal that it would meet`()
        throws
    {
        let book = TestBook()
        book.grant(100)
        let price = feature(
            [UnitPrice(unit: "u", amountMicros: 4, per: 1)], qualityPercent: [100, 50, 100, 200], fixed: 2, minimum: 20)
        let ask = { (count: Int64, quality: Quality) in
            Ask.quantities([Quantity(unit: "u", count: count)], quality: quality, price: PriceSchedule(price))
        }
        let first = try book.state.quote(ask(10, .best), feature: "x", member: "", at: book.now)
        #expect(first.amountMicros == 84)
        #expect(first.lines == (try price.lines(for: [Quantity(unit: "u", count: 10)], quality: .best)))
        #expect((first.quality, first.priceVersion, first.refusal == nil) == (.best, 0, true))
        _ = book.step(.reserve(open(1, PriceSchedule(price), [Quantity(unit: "u", count: 10)])))
        let second = try book.state.quote(ask(15, .unspecified), feature: "x", member: "", at: book.now)
        #expect((second.amountMicros, second.quality, second.priceVersion) == (62, .medium, 1))
        #expect(second.refusal == .insufficientCredits(neededMicros: 62, availableMicros: 58))
        let plain = try book.state.quote(.amount(58), feature: "", member: "", at: book.now)
        #expect((plain.amountMicros, plain.lines.count, plain.priceVersion) == (58, 0, 0))
        #expect(plain.refusal == nil)
        #expect(throws: PricingError.unknownFeature) {
            try book.state.quote(
                .quantities([Quantity(unit: "u", count: 1)], quality: .medium, price: nil), feature: "y", member: "",
                at: book.now)
        }
    }

    @Test func `what has none needs them, at both ends`() {
        let book = TestBook()
        book.grant(1_000)
        let price = PriceSchedule(feature([UnitPrice(unit: "u", amountMicros: 1, per: 1)]))
        #expect(book.outcome(.reserve(open(1, price))).refusal == .price(.noQuantities))
        #expect(book.outcome(.reserve(open(1, nil))).refusal == .price(.noQuantities))
        #expect(book.outcome(.reserve(open(1, price, [Quantity(unit: "u", count: 5)]))).answer?.amount == 5)
        #expect(book.outcome(commit(1)).refusal == .price(.noQuantities))
        book.reserve(2, 10)
        #expect(book.outcome(commit(2)).refusal == .price(.noQuantities))
        #expect(book.progress(2)?.state == .open)
    }

    @Test func `a commit is charged the minimum, and a part of one is not`() {
        let book = TestBook()
        book.grant(1_000)
        let price = PriceSchedule(feature([UnitPrice(unit: "u", amountMicros: 1, per: 1)], minimum: 10))
        #expect(book.outcome(.reserve(open(1, price, [Quantity(unit: "u", count: 50)]))).answer?.amount == 50)
        let few = [Quantity(unit: "u", count: 3)]
        #expect(book.outcome(commit(1, few, partial: true)).answer?.amount == 3)
        #expect(book.outcome(commit(1, few)).answer?.amount == 10)
        #expect(book.state.balance.available == 987)
    }

    @Test func `a step costs what the price is at its moment, and its commit what it was at the reservation`() {
        let book = TestBook()
        book.grant(1_000)
        let unit = { (micros: Int64) in UnitPrice(unit: "u", amountMicros: micros, per: 1) }
        let schedule = PriceSchedule(
            feature([unit(1)]),
            next: [
                .init(from: start.advanced(microseconds: hour), price: feature([unit(2)])),
                .init(from: start.advanced(microseconds: 2 * hour), price: feature([unit(3)])),
            ])
        let ten = [Quantity(unit: "u", count: 10)]
        book.wait(hour - 1)
        var command = open(1, schedule, ten)
        command.ttlMicroseconds = 2 * hour
        #expect(book.outcome(.reserve(command)).answer?.amount == 10)
        book.wait(1)
        #expect(book.outcome(.charge(open(2, schedule, ten))).answer?.amount == 20)
        #expect(book.outcome(commit(1, ten)).answer?.amount == 10)
        book.wait(5 * hour)
        #expect(book.outcome(.charge(open(3, schedule, ten))).answer?.amount == 30)
        #expect(schedule.price(after: start)?.price == feature([unit(2)]))
        #expect(schedule.price(after: book.now) == nil)
        #expect(book.state.price(version: 3) == feature([unit(3)]))
    }
}

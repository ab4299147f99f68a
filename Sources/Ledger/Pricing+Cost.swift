extension FeaturePrice {
    /// Percent of the plain price at a quality.
    package func percent(at quality: Quality) -> Int64 {
        let index = Int(quality == .unspecified ? Quality.medium.rawValue : quality.rawValue)
        return index < qualityPercent.count ? qualityPercent[index] : 100
    }

    /// How the cost of `quantities` comes about: a line for each of them in their order, then those of the fixed price and
    /// of the minimum where they count.
    package func lines(
        for quantities: [Quantity], quality: Quality, isPartial: Bool = false
    ) throws(PricingError) -> [PriceLine] {
        let percent = percent(at: quality)
        var lines: [PriceLine] = []
        lines.reserveCapacity(quantities.count + 2)
        for quantity in quantities {
            let unit = units[try place(of: quantity, among: units, first: 0)]
            let tier = unit.tier(of: quantity.count)
            lines.append(
                PriceLine(
                    kind: .unit, quantity: quantity, unitMicros: tier?.amountMicros ?? unit.amountMicros,
                    per: tier?.per ?? unit.per, tier: tier?.name ?? "", qualityPercent: percent,
                    amountMicros: try unit.cost(of: quantity.count, percent: percent)))
        }
        if let fixedMicros, !isPartial {
            lines.append(
                PriceLine(
                    kind: .fixed, unitMicros: fixedMicros, qualityPercent: percent,
                    amountMicros: try Self.scaled(fixedMicros, percent: percent)))
        }
        // The cost refuses what has no lines, and adds up with care.
        let cost = try cost(for: quantities, quality: quality, isPartial: isPartial)
        let missing = lines.reduce(cost) { $0 - $1.amountMicros }
        if missing > 0 {
            lines.append(
                PriceLine(kind: .minimum, unitMicros: missing, qualityPercent: 100, amountMicros: missing))
        }
        return lines
    }

    /// The sum of the lines.
    /// - Parameter isPartial: some of what a step uses; fixed price and minimum are asked once, with the rest.
    package func cost(
        for quantities: [Quantity], quality: Quality, isPartial: Bool = false
    ) throws(PricingError) -> Int64 {
        let percent = percent(at: quality)
        var sum: Int64 = 0
        if let fixedMicros {
            if !isPartial { sum = try Self.scaled(fixedMicros, percent: percent) }
        } else if quantities.isEmpty {
            throw .noQuantities
        }
        let units = units
        // Both are sorted by unit, so that the next is mostly the one after the last.
        var place = 0
        for index in quantities.indices {
            place = try self.place(of: quantities[index], among: units, first: place)
            let amount = try units[place].cost(of: quantities[index].count, percent: percent)
            let (total, overflow) = sum.addingReportingOverflow(amount)
            if overflow { throw .overflow(unit: quantities[index].unit) }
            sum = total
            place += 1
        }
        return isPartial ? sum : max(sum, minimumMicros)
    }

    /// Where the price of a quantity's unit stands. It is looked for at `first` before anywhere else.
    @inline(__always)
    private func place(of quantity: Quantity, among units: [UnitPrice], first: Int) throws(PricingError) -> Int {
        let isFirst = first < units.count && units[first].unit == quantity.unit
        guard let place = isFirst ? first : units.firstIndex(where: { $0.unit == quantity.unit }) else {
            throw .unknownUnit(quantity.unit)
        }
        guard quantity.count >= 0 else { throw .negativeQuantity(unit: quantity.unit) }
        return place
    }

    /// The fixed price at a quality, rounded up.
    private static func scaled(_ fixedMicros: Int64, percent: Int64) throws(PricingError) -> Int64 {
        if percent == 100 { return fixedMicros }
        return try UnitPrice(unit: "", amountMicros: fixedMicros, per: 1).cost(of: 1, percent: percent)
    }
}

extension UnitPrice {
    /// `count` units at `percent` of the price, rounded up to a whole micro once.
    fileprivate func cost(of count: Int64, percent: Int64) throws(PricingError) -> Int64 {
        if !tiers.isEmpty { return try tieredCost(of: count, percent: percent) }
        precondition(per > 0 && amountMicros >= 0 && percent >= 0, "a price that no catalog may have")
        let (plain, isWide) = count.multipliedReportingOverflow(by: amountMicros)
        let (scaled, isWider) = plain.multipliedReportingOverflow(by: percent)
        let (divisor, isLong) = per.multipliedReportingOverflow(by: 100)
        if isWide || isWider || isLong {
            return try wideCost(UInt128(count) * UInt128(amountMicros), per: per, percent: percent)
        }
        let (quotient, remainder) = scaled.quotientAndRemainder(dividingBy: divisor)
        return remainder == 0 ? quotient : quotient + 1
    }

    /// The same where the unit is priced by size. Nothing costs nothing, in whatever tier.
    private func tieredCost(of count: Int64, percent: Int64) throws(PricingError) -> Int64 {
        guard count > 0, let tier = tier(of: count) else { return 0 }
        precondition(
            tier.per > 0 && tier.amountMicros >= 0 && tier.fixedMicros >= 0 && percent >= 0,
            "a price that no catalog may have")
        // Two products of 63 bits each.
        let plain = UInt128(count) * UInt128(tier.amountMicros) + UInt128(tier.fixedMicros) * UInt128(tier.per)
        do throws(PricingError) {
            let cost = max(try wideCost(plain, per: tier.per, percent: percent), tier.minimumMicros)
            return tier.maximumMicros == 0 ? cost : min(cost, tier.maximumMicros)
        } catch {
            // However large it is, it is more than the most that the tier costs.
            if tier.maximumMicros > 0 { return tier.maximumMicros }
            throw error
        }
    }

    /// `percent` of `plain / per` in 128 bits, rounded up once. A product that does not fit them is an overflow.
    private func wideCost(_ plain: UInt128, per: Int64, percent: Int64) throws(PricingError) -> Int64 {
        let isPlain = percent == 100
        let (scaled, overflow) = plain.multipliedReportingOverflow(by: isPlain ? 1 : UInt128(percent))
        if overflow { throw .overflow(unit: unit) }
        let (quotient, remainder) = scaled.quotientAndRemainder(dividingBy: UInt128(per) * (isPlain ? 1 : 100))
        guard let cost = Int64(exactly: remainder == 0 ? quotient : quotient + 1) else { throw .overflow(unit: unit) }
        return cost
    }
}

extension FeaturePrice {
    /// Percent of the plain price at a quality.
    package func percent(at quality: Quality) -> Int64 {
        let index = Int(quality == .unspecified ? Quality.medium.rawValue : quality.rawValue)
        return index < qualityPercent.count ? qualityPercent[index] : 100
    }

    /// How the cost of `quantities` comes about, one line for each of them in their order.
    package func lines(for quantities: [Quantity], quality: Quality) throws(PricingError) -> [PriceLine] {
        let percent = percent(at: quality)
        var lines: [PriceLine] = []
        lines.reserveCapacity(quantities.count)
        var sum: Int64 = 0
        for quantity in quantities {
            let price = try unitPrice(of: quantity)
            let amount = try price.cost(of: quantity.count, percent: percent)
            sum = try adding(amount, to: sum, unit: quantity.unit)
            lines.append(
                PriceLine(quantity: quantity, price: price, qualityPercent: percent, amountMicros: amount))
        }
        return lines
    }

    /// The sum of the lines.
    package func cost(for quantities: [Quantity], quality: Quality) throws(PricingError) -> Int64 {
        let percent = percent(at: quality)
        var sum: Int64 = 0
        for quantity in quantities {
            let amount = try unitPrice(of: quantity).cost(of: quantity.count, percent: percent)
            sum = try adding(amount, to: sum, unit: quantity.unit)
        }
        return sum
    }

    private func unitPrice(of quantity: Quantity) throws(PricingError) -> UnitPrice {
        guard let price = units.first(where: { $0.unit == quantity.unit }) else { throw .unknownUnit(quantity.unit) }
        guard quantity.count >= 0 else { throw .negativeQuantity(unit: quantity.unit) }
        return price
    }

    private func adding(_ amount: Int64, to sum: Int64, unit: String) throws(PricingError) -> Int64 {
        let (total, overflow) = sum.addingReportingOverflow(amount)
        if overflow { throw .overflow(unit: unit) }
        return total
    }
}

extension UnitPrice {
    /// `count` units at `percent` of the price, rounded up to a whole micro once.
    fileprivate func cost(of count: Int64, percent: Int64) throws(PricingError) -> Int64 {
        precondition(per > 0 && amountMicros >= 0 && percent >= 0, "a price that no catalog may have")
        let (plain, isWide) = count.multipliedReportingOverflow(by: amountMicros)
        let (scaled, isWider) = plain.multipliedReportingOverflow(by: percent)
        let (divisor, isLong) = per.multipliedReportingOverflow(by: 100)
        if isWide || isWider || isLong { return try wideCost(of: count, percent: percent) }
        let (quotient, remainder) = scaled.quotientAndRemainder(dividingBy: divisor)
        return remainder == 0 ? quotient : quotient + 1
    }

    /// The same in 128 bits, for products that do not fit 64. One that does not fit 128 either is an overflow.
    private func wideCost(of count: Int64, percent: Int64) throws(PricingError) -> Int64 {
        let isPlain = percent == 100
        let (scaled, overflow) = (UInt128(count) * UInt128(amountMicros))
            .multipliedReportingOverflow(by: isPlain ? 1 : UInt128(percent))
        if overflow { throw .overflow(unit: unit) }
        let (quotient, remainder) = scaled.quotientAndRemainder(dividingBy: UInt128(per) * (isPlain ? 1 : 100))
        guard let cost = Int64(exactly: remainder == 0 ? quotient : quotient + 1) else { throw .overflow(unit: unit) }
        return cost
    }
}

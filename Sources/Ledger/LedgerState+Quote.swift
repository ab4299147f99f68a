/// What something would cost, and whether it could be had.
package struct Quote: Sendable {
    package var amountMicros: Int64
    /// How the amount came about; none for a plain amount.
    package var lines: [PriceLine] = []
    /// The quality that the price is for; unspecified for a plain amount.
    package var quality = Quality.unspecified
    /// The tenant's number of the price; 0 where no reservation was made under it yet.
    package var priceVersion: UInt32 = 0
    /// Why a reserve of it would be refused now; nil where it would not.
    package var refusal: Refusal?
}

extension LedgerState {
    /// What a reserve would cost now. `settle(at: now)` has been called.
    package func quote(
        _ ask: Ask, feature: String, member: String, at now: Instant
    ) throws(PricingError) -> Quote {
        var quote: Quote
        switch ask {
        case .amount(let amount):
            quote = Quote(amountMicros: amount)
        case .quantities(let quantities, _, let schedule):
            guard let schedule else { throw quantities.isEmpty ? .noQuantities : .unknownFeature }
            let quality = quality(of: ask, feature: feature)
            let price = schedule.price(at: now)
            let lines = try price.lines(for: quantities, quality: quality)
            quote = Quote(
                amountMicros: lines.reduce(0) { $0 + $1.amountMicros }, lines: lines,
                quality: quality == .unspecified ? .medium : quality, priceVersion: prices.version(of: price) ?? 0)
        }
        quote.refusal = refusal(of: quote.amountMicros, feature: feature, member: member, at: now)
        return quote
    }
}

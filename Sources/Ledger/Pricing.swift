/// How good an answer the caller asks for; a feature's price may differ by it.
package enum Quality: UInt8, CaseIterable, Sendable {
    case unspecified = 0
    case cheap = 1
    case medium = 2
    case best = 3
}

/// How much of one unit was asked or used.
package struct Quantity: Equatable, Sendable {
    package var unit: String
    /// Never negative.
    package var count: Int64

    package init(unit: String, count: Int64) {
        self.unit = unit
        self.count = count
    }
}

/// The price of one unit: `amountMicros` for each `per` units.
package struct UnitPrice: Equatable, Hashable, Sendable {
    package var unit: String
    package var amountMicros: Int64
    package var per: Int64

    package init(unit: String, amountMicros: Int64, per: Int64) {
        self.unit = unit
        self.amountMicros = amountMicros
        self.per = per
    }
}

/// What a feature costs: the sum of its units' lines, each rounded up to a whole micro once. It never changes, and everybody
/// who names it shares it.
package struct FeaturePrice: Hashable, Sendable {
    private final class Fields: Sendable {
        let feature: String
        let units: [UnitPrice]
        let qualityPercent: [Int64]

        init(_ feature: String, _ units: [UnitPrice], _ qualityPercent: [Int64]) {
            self.feature = feature
            self.units = units
            self.qualityPercent = qualityPercent
        }
    }

    private let fields: Fields

    package var feature: String { fields.feature }
    /// Sorted by unit, each unit once.
    package var units: [UnitPrice] { fields.units }
    /// Percent of the price by quality, indexed by `Quality.rawValue`; 100 is the plain price. `unspecified` counts as `medium`.
    package var qualityPercent: [Int64] { fields.qualityPercent }

    package init(feature: String, units: [UnitPrice], qualityPercent: [Int64] = [100, 100, 100, 100]) {
        fields = Fields(feature, units, qualityPercent)
    }

    package static func == (a: Self, b: Self) -> Bool {
        a.fields === b.fields
            || a.feature == b.feature && a.units == b.units && a.qualityPercent == b.qualityPercent
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(feature)
        hasher.combine(units)
        hasher.combine(qualityPercent)
    }
}

extension FeaturePrice: CustomStringConvertible {
    package var description: String {
        "(feature: \(feature), units: \(units), qualityPercent: \(qualityPercent))"
    }
}

/// One line of a price: how its amount came about.
package struct PriceLine: Equatable, Sendable {
    package var quantity: Quantity
    package var price: UnitPrice
    package var qualityPercent: Int64
    package var amountMicros: Int64

    package init(quantity: Quantity, price: UnitPrice, qualityPercent: Int64, amountMicros: Int64) {
        self.quantity = quantity
        self.price = price
        self.qualityPercent = qualityPercent
        self.amountMicros = amountMicros
    }
}

/// Why quantities have no price.
package enum PricingError: Error, Equatable {
    /// The rate card does not name the feature (any more).
    case unknownFeature
    case unknownUnit(String)
    case negativeQuantity(unit: String)
    case overflow(unit: String)
}

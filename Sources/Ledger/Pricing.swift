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

/// The price of one unit: `amountMicros` for each `per` units, or by size where it has tiers.
package struct UnitPrice: Equatable, Hashable, Sendable {
    package var unit: String
    package var amountMicros: Int64
    package var per: Int64
    /// From the smallest size on; empty where the unit has one price. Where there are some they alone count.
    package private(set) var tiers: [PriceTier] = []

    package init(unit: String, amountMicros: Int64, per: Int64) {
        self.unit = unit
        self.amountMicros = amountMicros
        self.per = per
    }

    package init(unit: String, tiers: [PriceTier]) {
        self.init(unit: unit, amountMicros: 0, per: 1)
        self.tiers = tiers
    }

    /// The tier of a whole quantity: the largest that begins at it or below, or else the first. Nil where there is none.
    package func tier(of count: Int64) -> PriceTier? {
        tiers.last { $0.from <= count } ?? tiers.first
    }
}

/// The price of one size: `fixedMicros` and `amountMicros` for each `per` units together, within its bounds.
package struct PriceTier: Equatable, Hashable, Sendable {
    /// As "large".
    package var name: String
    /// From this quantity on.
    package var from: Int64
    package var amountMicros: Int64
    package var per: Int64
    /// Whatever the quantity.
    package var fixedMicros: Int64
    /// At least this, whatever the quality; 0 for no minimum.
    package var minimumMicros: Int64
    /// At most this, whatever the quality; 0 for no maximum.
    package var maximumMicros: Int64

    package init(
        name: String, from: Int64, amountMicros: Int64, per: Int64 = 1, fixedMicros: Int64 = 0,
        minimumMicros: Int64 = 0, maximumMicros: Int64 = 0
    ) {
        self.name = name
        self.from = from
        self.amountMicros = amountMicros
        self.per = per
        self.fixedMicros = fixedMicros
        self.minimumMicros = minimumMicros
        self.maximumMicros = maximumMicros
    }
}

/// What a feature costs: the sum of its units' lines and of its fixed price, each rounded up to a whole micro once, and at
/// least its minimum. It never changes, and everybody who names it shares it.
package struct FeaturePrice: Hashable, Sendable {
    private final class Fields: Sendable {
        let feature: String
        let units: [UnitPrice]
        let qualityPercent: [Int64]
        let fixedMicros: Int64?
        let minimumMicros: Int64

        init(
            _ feature: String, _ units: [UnitPrice], _ qualityPercent: [Int64], _ fixedMicros: Int64?,
            _ minimumMicros: Int64
        ) {
            self.feature = feature
            self.units = units
            self.qualityPercent = qualityPercent
            self.fixedMicros = fixedMicros
            self.minimumMicros = minimumMicros
        }
    }

    private let fields: Fields

    package var feature: String { fields.feature }
    /// Sorted by unit, each unit once.
    package var units: [UnitPrice] { fields.units }
    /// Percent of the price by quality, indexed by `Quality.rawValue`; 100 is the plain price. `unspecified` counts as `medium`.
    package var qualityPercent: [Int64] { fields.qualityPercent }
    /// What each step costs, whatever the quantities; nil where it costs by unit alone.
    package var fixedMicros: Int64? { fields.fixedMicros }
    /// What each step but a partial commit costs at least, whatever the quality; 0 for no minimum.
    package var minimumMicros: Int64 { fields.minimumMicros }

    package init(
        feature: String, units: [UnitPrice], qualityPercent: [Int64] = [100, 100, 100, 100],
        fixedMicros: Int64? = nil, minimumMicros: Int64 = 0
    ) {
        fields = Fields(feature, units, qualityPercent, fixedMicros, minimumMicros)
    }

    /// They are the same without a look at what they say.
    func isShared(with other: Self) -> Bool { fields === other.fields }

    package static func == (a: Self, b: Self) -> Bool {
        a.isShared(with: b)
            || a.feature == b.feature && a.units == b.units && a.qualityPercent == b.qualityPercent
                && a.fixedMicros == b.fixedMicros && a.minimumMicros == b.minimumMicros
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(feature)
        hasher.combine(units)
        hasher.combine(qualityPercent)
        hasher.combine(fixedMicros)
        hasher.combine(minimumMicros)
    }
}

extension FeaturePrice: CustomStringConvertible {
    package var description: String {
        "(feature: \(feature), units: \(units), qualityPercent: \(qualityPercent), "
            + "fixedMicros: \(fixedMicros.map(String.init) ?? "nil"), minimumMicros: \(minimumMicros))"
    }
}

/// One line of a price: how its amount came about.
package struct PriceLine: Equatable, Sendable {
    /// What the line is.
    package enum Kind: Equatable, Sendable {
        /// So many units at the unit's price.
        case unit
        /// The feature's fixed price.
        case fixed
        /// What is missing to the feature's minimum.
        case minimum
    }

    package var kind: Kind
    /// One of nothing, where the line is about no unit.
    package var quantity: Quantity
    /// The price, of the tier where there is one: so many micros ...
    package var unitMicros: Int64
    /// ... for each so many units.
    package var per: Int64
    /// The name of the tier that the quantity fell in; empty where the unit has none.
    package var tier: String
    package var qualityPercent: Int64
    package var amountMicros: Int64

    package init(
        kind: Kind, quantity: Quantity = Quantity(unit: "", count: 1), unitMicros: Int64, per: Int64 = 1,
        tier: String = "", qualityPercent: Int64, amountMicros: Int64
    ) {
        self.kind = kind
        self.quantity = quantity
        self.unitMicros = unitMicros
        self.per = per
        self.tier = tier
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
    /// The unit is empty where the sum or the fixed price is too large.
    case overflow(unit: String)
    /// Nothing says how much, and the feature has no fixed price.
    case noQuantities
}

import Ledger

/// What the operator decides for all tenants: what features cost, what plans promise, which packs are sold, and what roles
/// may do.
///
/// It is read from JSON, described in `Deploy/catalogs/README.md`, and checked whole before it comes into force.
package struct Catalog: Equatable, Sendable {
    /// Prices by feature.
    package var features: [String: PriceSchedule]
    /// Prices by tenant and feature, where a tenant has its own.
    package var tenants: [String: [String: PriceSchedule]] = [:]
    /// What each plan promises.
    package var plans: [String: PlanTerms] = [:]
    /// What use past zero costs, by plan, where a plan prices it.
    package var overagePrices: [String: OveragePrice] = [:]
    /// The smallest first.
    package var packs: [Pack] = []
    /// What each role may do.
    package var roles: [String: PermissionSet] = Catalog.defaultRoles

    package init(features: [String: PriceSchedule] = [:]) {
        self.features = features
    }

    /// The price of a feature for all who have none of their own; nil where the rate card does not have it.
    package func price(of feature: String) -> PriceSchedule? {
        features[feature]
    }

    /// What a role may do; nil where there is no such role.
    package func permissions(of role: String) -> PermissionSet? {
        roles[role]
    }
}

/// An amount of money.
package struct Price: Equatable, Sendable {
    /// By ISO 4217, as "GBP".
    package var currency: String
    /// In the currency's smallest unit, such as pence.
    package var minorUnits: Int64

    package init(currency: String, minorUnits: Int64) {
        self.currency = currency
        self.minorUnits = minorUnits
    }
}

/// What use past zero costs in money: so much for each so many micros.
package struct OveragePrice: Equatable, Sendable {
    package static let microsPerCredit: Int64 = 1_000_000

    package var price: Price
    package var perMicros: Int64

    package init(price: Price, perMicros: Int64) {
        self.price = price
        self.perMicros = perMicros
    }
}

/// Credits at a price.
package struct Pack: Equatable, Sendable {
    package var id: String
    /// Its name to show.
    package var name: String
    package var amountMicros: Int64
    package var price: Price
    /// Recommended; at most one pack is.
    package var isPopular: Bool
    /// What is shown as saved, where it is not to be worked out from the prices.
    package var savingsPercent: Int64?

    package init(id: String, name: String, amountMicros: Int64, price: Price, isPopular: Bool = false) {
        self.id = id
        self.name = name
        self.amountMicros = amountMicros
        self.price = price
        self.isPopular = isPopular
    }
}

extension Catalog {
    /// Serves where no file is given: one feature to try things with.
    package static let builtIn = Catalog(features: [
        "chat": PriceSchedule(
            FeaturePrice(
                feature: "chat",
                units: [
                    UnitPrice(unit: "context_tokens", amountMicros: 1_000, per: 1),
                    UnitPrice(unit: "generated_tokens", amountMicros: 5_000, per: 1),
                ]))
    ])

    /// The roles of a catalog that names none; one that names some replaces only those.
    package static let defaultRoles: [String: PermissionSet] = [
        "owner": [.view, .purchase, .manage, .refund, .own],
        "admin": [.view, .purchase, .manage],
        "member": [.view],
        "service": [.meter, .view],
        "platform": .all,
    ]
}

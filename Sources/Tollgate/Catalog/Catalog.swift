import Ledger

/// What the operator decides for all tenants: what features cost, and what roles may do.
///
/// It is read from a JSON file, described in `Deploy/catalogs/README.md`, and checked whole before a server starts.
package struct Catalog: Equatable, Sendable {
    /// Prices by feature.
    package let features: [String: FeaturePrice]
    /// What each role may do.
    package let roles: [String: PermissionSet]

    package init(features: [String: FeaturePrice], roles: [String: PermissionSet] = Catalog.defaultRoles) {
        self.features = features
        self.roles = roles
    }

    /// The price of a feature; nil where the rate card does not have it.
    package func price(of feature: String) -> FeaturePrice? {
        features[feature]
    }

    /// What a role may do; nil where there is no such role.
    package func permissions(of role: String) -> PermissionSet? {
        roles[role]
    }

    /// All prices, by name.
    package var rateCard: [FeaturePrice] {
        features.values.sorted { $0.feature < $1.feature }
    }
}

extension Catalog {
    /// Serves where no file is given: one feature to try things with.
    package static let builtIn = Catalog(features: [
        "chat": FeaturePrice(
            feature: "chat",
            units: [
                UnitPrice(unit: "context_tokens", amountMicros: 1_000, per: 1),
                UnitPrice(unit: "generated_tokens", amountMicros: 5_000, per: 1),
            ])
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

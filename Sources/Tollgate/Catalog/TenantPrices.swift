import Ledger

/// What features cost for a tenant, to be found by the name as it lies in a request. All tenants without prices of their
/// own share one.
package final class TenantPrices: Sendable {
    /// A feature as the catalog has it.
    struct Feature: Sendable {
        let name: String
        let price: PriceSchedule
    }

    /// What is the tenant's own; nil where nothing is.
    private let own: NameTable<Feature>?
    private let general: NameTable<Feature>
    /// The names of all units of the catalog, whosever prices have them.
    let units: NameTable<String>

    /// The prices for all.
    package init(_ catalog: Catalog) {
        own = nil
        general = Self.table(catalog.features)
        var units: [String: String] = [:]
        for features in CollectionOfOne(catalog.features) + Array(catalog.tenants.values) {
            for price in features.values.lazy.flatMap(\.all) {
                for unit in price.units { units[unit.unit] = unit.unit }
            }
        }
        self.units = NameTable(units)
    }

    /// The prices of a tenant that has some of its own.
    init(_ own: [String: PriceSchedule], beside general: TenantPrices) {
        self.own = Self.table(own)
        self.general = general.general
        units = general.units
    }

    /// No prices at all.
    static let none = TenantPrices(Catalog())

    subscript(feature: BorrowedText) -> Feature? {
        own?[feature] ?? general[feature]
    }

    private static func table(_ features: [String: PriceSchedule]) -> NameTable<Feature> {
        NameTable(Dictionary(uniqueKeysWithValues: features.map { ($0, Feature(name: $0, price: $1)) }))
    }
}

/// The prices of a catalog, made ready for requests. That takes a moment where there are many, so it is done before the
/// catalog takes its place.
struct ReadyPrices: Sendable {
    let general: TenantPrices
    /// Of tenants with prices of their own.
    let own: [String: TenantPrices]

    init(_ catalog: Catalog) {
        let general = TenantPrices(catalog)
        self.general = general
        own = catalog.tenants.mapValues { TenantPrices($0, beside: general) }
    }
}

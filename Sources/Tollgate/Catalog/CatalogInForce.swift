import Ledger
import Storage

/// The catalog that holds now, with its prices made ready for requests. It never changes; another one takes its place.
package final class CatalogInForce: Sendable {
    /// From 1; 0 for the one that is built in.
    package let version: Int64
    /// Nil for the one that is built in.
    package let appliedAt: Instant?
    /// As it was given; empty for the one that is built in.
    package let json: [UInt8]
    package let catalog: Catalog

    private let prices: ReadyPrices

    /// The catalog of a record; the built-in one where there is none.
    init(_ catalog: Catalog, _ prices: ReadyPrices, _ record: CatalogRecord? = nil) {
        version = record?.version ?? 0
        appliedAt = record?.appliedAt
        json = record?.json ?? []
        self.catalog = catalog
        self.prices = prices
    }

    /// What features cost for a tenant; for none, what they cost for all who have no prices of their own.
    func prices(for tenant: TenantID?) -> TenantPrices {
        guard !prices.own.isEmpty, let tenant else { return prices.general }
        return prices.own[tenant.description] ?? prices.general
    }

    /// What a feature costs for a tenant; nil where it has no price.
    func price(of feature: String, for tenant: TenantID) -> PriceSchedule? {
        catalog.tenants[tenant.description]?[feature] ?? catalog.features[feature]
    }

    /// Every price of a tenant, by name.
    func rateCard(for tenant: TenantID) -> [PriceSchedule] {
        let own = catalog.tenants[tenant.description] ?? [:]
        return catalog.features.merging(own) { _, own in own }.sorted { $0.key < $1.key }.map(\.value)
    }
}

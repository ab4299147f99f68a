/// Bounds of this module, in one place.
package enum Limits {
    // MARK: The catalog file

    /// A catalog file may be this long.
    package static let maxCatalogBytes = 4 << 20
    /// How deep objects and lists of a catalog file may nest.
    package static let maxCatalogDepth = 16
    /// How many faults of a catalog are told; a file with more is told so.
    package static let maxCatalogFaults = 100
    package static let maxFeatures = 10_000
    package static let maxRoles = 64
    package static let maxRoleNameBytes = 63
    /// What a unit may cost at most: 10,000 million credits.
    package static let maxUnitPriceMicros: Int64 = 10_000_000_000_000_000
    package static let maxUnitPricePer: Int64 = 1_000_000_000_000
    package static let maxQualityPercent: Int64 = 100_000

    // MARK: Fields of requests

    package static let maxFeatureBytes = 128
    package static let maxUnitBytes = 64
    package static let maxActorBytes = 256
    /// Of a comment and of a reason.
    package static let maxCommentBytes = 1_024
    package static let maxLabels = 16
    package static let maxLabelKeyBytes = 64
    package static let maxLabelValueBytes = 256
    package static let maxQuantities = 32
    package static let maxBatchSteps = 1_000
    /// Steps of one Meter stream that are read and not yet answered.
    package static let maxMeterStepsUnderWay = 4_096
    package static let defaultPageSize = 50
    package static let maxPageSize = 1_000
    /// A page token is a list's tag and a cursor; a longer text is none of ours.
    package static let maxPageTokenBytes = 1_024

    // MARK: Tenants and keys

    package static let maxPlanBytes = 63
    package static let maxDisplayNameBytes = 256
    package static let maxTimeZoneBytes = 64
    /// Time zones whose running month is remembered; there are some 600.
    package static let maxRememberedTimeZones = 1_024

    /// Of what proxies say of where a call comes from.
    package static let maxForwardedForBytes = 256

    // MARK: Settings

    /// Limits that a tenant sets for its use.
    package static let maxUsageLimits = 1_000
    /// Of a limit in percent of the cycle's allowance.
    package static let maxLimitPercent: Int32 = 1_000

    // MARK: The log

    /// Tenants whose damaged book is told once in the log; beyond, some are told again.
    package static let maxToldTenants = 1_000

    // MARK: The system

    /// Files that a server is well off with: its shards, three descriptors each, and its connections.
    package static let wantedOpenFiles: UInt = 4_096
}

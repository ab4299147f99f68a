/// Bounds of this module, in one place.
package enum Limits {
    // MARK: The catalog file

    /// A catalog file may be this long.
    package static let maxCatalogBytes = 4 << 20
    /// How deep objects and lists of a catalog file may nest.
    package static let maxCatalogDepth = 16
    /// How many faults of a catalog are told; a file with more is told so.
    package static let maxCatalogFaults = 100
    /// Bytes of the faults that a status tells, whose trailers clients bound; all of them stand in `catalog check`.
    static let maxToldFaultBytes = 3 << 10
    /// Characters of the one that its message tells.
    static let maxToldFaultCharacters = 500
    package static let maxFeatures = 10_000
    package static let maxRoles = 64
    package static let maxRoleNameBytes = 63
    package static let maxPlans = 1_000
    package static let maxPacks = 100
    package static let maxPackIDBytes = 63
    /// Tenants with prices of their own.
    package static let maxTenantsWithPrices = 10_000
    /// Sizes of one unit.
    package static let maxTiers = 32
    /// Prices of one feature that are yet to come, or that came since the catalog was written.
    package static let maxNextPrices = 32
    /// Grants of a plan's sign-up credits.
    package static let maxSignUpGrants = 16
    /// Days of a trial, and of sign-up credits: a hundred years.
    package static let maxPlanDays: Int64 = 36_525
    package static let maxRolloverCycles: Int64 = 1_200
    /// What any amount of micros in a catalog may be at most: 10,000 million credits.
    package static let maxCatalogMicros: Int64 = 10_000_000_000_000_000
    /// What money a pack or so many micros of overage may cost at most, in the currency's smallest unit.
    package static let maxMinorUnits: Int64 = 1_000_000_000_000
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

    // MARK: Connections

    /// What a budget of so many a second allows at once.
    static let burstSeconds = 30

    // MARK: The log

    /// Lines about peers that were cut off.
    static let cutOffLinesBurst = 20
    static let cutOffLinesPerSecond = 1
    /// Tenants whose damaged book is told once in the log; beyond, some are told again.
    package static let maxToldTenants = 1_000

    // MARK: The system

    /// Files that a server is well off with: its shards, three descriptors each, and its connections.
    package static let wantedOpenFiles = 4_096
    /// Files without which a server cannot do.
    package static let leastOpenFiles = 96
    /// Of them what is neither a connection nor a shard that stays open: journal, directory, manifest, the loops' own, and
    /// shards that are opened for one use.
    static let ownOpenFiles = 48
}

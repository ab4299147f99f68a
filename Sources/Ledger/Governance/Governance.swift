/// What governs a tenant's book beside its grants: settings, subscription and limits. It changes by entries alone, in
/// memory and, from the same entries, in the shard.
package struct Governance: Equatable, Sendable {
    package internal(set) var isAIEnabled = true
    /// The quality of requests that name none, by feature.
    package internal(set) var qualities: [String: Quality] = [:]
    /// By whose midnight cycles and windows begin.
    package internal(set) var zone = "UTC"
    package internal(set) var subscription: Subscription? {
        didSet {
            cycleEnd = subscription?.cycle?.end ?? .distantFuture
            overageCapMicros = subscription?.overageCapMicros ?? 0
        }
    }

    /// When the running cycle ends, and how far use may go on past zero: every step asks, and the subscription is large to
    /// look into.
    private(set) var cycleEnd = Instant.distantFuture
    private(set) var overageCapMicros: Int64 = 0
    /// A plan's credits on sign-up were given, or a plan without any was taken: they are given once.
    package internal(set) var hasSignedUp = false
    package internal(set) var hasTried = false
    package var limits = LimitTable()
    /// When a setting changed last.
    package internal(set) var changedAt: Instant?

    package init() {}

    /// Nothing was ever set: a shard need not keep it.
    package var isPlain: Bool { self == Governance() }
}

/// What an entry changes in what governs the book: always the whole new value, never a difference.
package enum GovernanceChange: Equatable, Sendable {
    case aiEnabled(Bool)
    /// Unspecified takes the setting back.
    case quality(feature: String, Quality)
    /// All limits, with what stands against each, and the windows that run.
    case limits([LimitTable.Item], LimitWindows)
    /// Nil where the tenant has no plan (any more).
    indirect case subscription(Subscription?, zone: String, hasSignedUp: Bool, hasTried: Bool)
    /// Some began anew; what stood against limits in them is gone.
    case windows(LimitWindows)
}

extension Governance {
    /// What an entry changes here.
    package mutating func apply(_ change: GovernanceChange, at instant: Instant) {
        switch change {
        case .aiEnabled(let isEnabled):
            isAIEnabled = isEnabled
            changedAt = instant
        case .quality(let feature, let quality):
            qualities[feature] = quality == .unspecified ? nil : quality
            changedAt = instant
        case .limits(let items, let windows):
            limits = LimitTable(items, windows)
            changedAt = instant
        case .subscription(let subscription, let zone, let hasSignedUp, let hasTried):
            if subscription?.cycle?.start != self.subscription?.cycle?.start { limits.beginCycle(at: instant) }
            self.subscription = subscription
            self.zone = zone
            self.hasSignedUp = hasSignedUp
            self.hasTried = hasTried
        case .windows(let windows):
            limits.begin(windows)
        }
    }
}

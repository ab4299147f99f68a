/// How credits came to a tenant. The raw value is stored; its order is not the burn-down order (see `burnRank`).
package enum GrantKind: UInt8, CaseIterable, Sendable {
    case subscription = 1
    case purchased = 2
    case gifted = 3
    case complimentary = 4

    /// Among grants that expire at the same time the lower rank is taken first.
    package var burnRank: UInt8 {
        switch self {
        case .subscription: 0
        case .complimentary: 1
        case .gifted: 2
        case .purchased: 3
        }
    }
}

/// Where a grant comes from. Raw values are stored for ever.
package enum GrantOrigin: UInt8, CaseIterable, Sendable {
    /// Someone granted it.
    case granted = 1
    case signUp = 2
    case trial = 3
    /// A cycle's allowance.
    case allowance = 4
    /// The difference that a change of plan granted in mid-cycle.
    case topUp = 5
    case rollover = 6
    /// Overage that was billed, so that it is owed no more.
    case billedOverage = 7

    /// It is a part of what its cycle promised.
    var isOfCycle: Bool { self == .allowance || self == .topUp }
}

/// A block of credits. At all times `amount == available + held + consumed + expired + paid`.
package struct Grant: Equatable, Sendable {
    /// Its place among the tenant's grants, from 1 in the order in which they were made.
    package var number: UInt32
    package var id: StepID
    package var kind: GrantKind
    package var createdAt: Instant
    /// Nil for credits that never expire.
    package var expiresAt: Instant?
    package var comment: String
    package var origin: GrantOrigin
    /// What was left of it was taken back then; nil where it was not.
    package var revokedAt: Instant?

    package var amount: Int64
    package var available: Int64
    package var held: Int64
    /// What was charged to it, less what was refunded.
    package var consumed: Int64
    package var expired: Int64
    /// What paid overage that was owed when it came.
    package var paid: Int64
    /// What refunds gave back to it, all told.
    package var refunded: Int64

    package init(
        number: UInt32, id: StepID, kind: GrantKind, createdAt: Instant, expiresAt: Instant?, comment: String,
        amount: Int64, origin: GrantOrigin = .granted
    ) {
        self.number = number
        self.id = id
        self.kind = kind
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.comment = comment
        self.origin = origin
        self.amount = amount
        available = amount
        held = 0
        consumed = 0
        expired = 0
        paid = 0
        refunded = 0
    }

    /// As a new grant stands once it has paid what was owed.
    func havingPaid(_ micros: Int64) -> Grant {
        var grant = self
        grant.paid = micros
        grant.available = grant.amount &- micros
        return grant
    }

    /// What comes back to it from now on expires at once.
    package func isOver(at now: Instant) -> Bool {
        revokedAt != nil || expiresAt.map { $0 <= now } ?? false
    }
}

/// What one entry moves within one grant, or, under the number 0, on overage. What leaves the moved columns of a grant
/// comes back as available and the other way round; overage has nothing available.
package struct Move: Equatable, Sendable {
    /// 0 for overage.
    package var grant: UInt32
    package var held: Int64
    package var consumed: Int64
    package var expired: Int64
    /// What of the grant pays overage.
    package var paid: Int64

    package static let overageNumber: UInt32 = 0

    package init(grant: UInt32, held: Int64 = 0, consumed: Int64 = 0, expired: Int64 = 0, paid: Int64 = 0) {
        self.grant = grant
        self.held = held
        self.consumed = consumed
        self.expired = expired
        self.paid = paid
    }

    /// By how much it changes what is available. Wraps around where the numbers come from a damaged file.
    package var available: Int64 {
        grant == Self.overageNumber ? 0 : 0 &- held &- consumed &- expired &- paid
    }

    /// By how much it changes what is held or owed beyond the grants.
    package var overage: Int64 {
        grant == Self.overageNumber ? held &+ consumed : 0 &- paid
    }
}

/// What is used beyond the grants, where a plan allows it. What is not paid of it is owed.
package struct Overage: Equatable, Sendable {
    package var held: Int64 = 0
    /// What was charged, less what was refunded.
    package var consumed: Int64 = 0
    /// What later grants paid of it.
    package var paid: Int64 = 0

    package init(held: Int64 = 0, consumed: Int64 = 0, paid: Int64 = 0) {
        self.held = held
        self.consumed = consumed
        self.paid = paid
    }

    package var owed: Int64 { consumed - paid }
    /// What stands on the left of the conservation law. Wraps around where the numbers come from a damaged file.
    package var total: Int64 { held &+ consumed &- paid }
}

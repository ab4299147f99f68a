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

/// A block of credits. At all times `amount == available + held + consumed + expired`.
package struct Grant: Equatable, Sendable {
    /// Its place among the tenant's grants, from 1 in the order in which they were made.
    package var number: UInt32
    package var id: StepID
    package var kind: GrantKind
    package var createdAt: Instant
    /// Nil for credits that never expire.
    package var expiresAt: Instant?
    package var comment: String

    package var amount: Int64
    package var available: Int64
    package var held: Int64
    /// What was charged to it, less what was refunded.
    package var consumed: Int64
    package var expired: Int64
    /// What refunds gave back to it, all told.
    package var refunded: Int64

    package init(
        number: UInt32, id: StepID, kind: GrantKind, createdAt: Instant, expiresAt: Instant?, comment: String,
        amount: Int64
    ) {
        self.number = number
        self.id = id
        self.kind = kind
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.comment = comment
        self.amount = amount
        available = amount
        held = 0
        consumed = 0
        expired = 0
        refunded = 0
    }
}

/// What one entry moves within one grant. What leaves the three moved columns comes back as available and the other
/// way round: `available` changes by `-(held + consumed + expired)`.
package struct Move: Equatable, Sendable {
    package var grant: UInt32
    package var held: Int64
    package var consumed: Int64
    package var expired: Int64

    package init(grant: UInt32, held: Int64 = 0, consumed: Int64 = 0, expired: Int64 = 0) {
        self.grant = grant
        self.held = held
        self.consumed = consumed
        self.expired = expired
    }
}

/// The part of a reservation that one grant carries, in the order in which the grants were drawn.
package struct Draw: Equatable, Sendable {
    package var grant: UInt32
    package var held: Int64
    /// What was charged to the grant for this reservation, less what was refunded.
    package var consumed: Int64

    package init(grant: UInt32, held: Int64, consumed: Int64) {
        self.grant = grant
        self.held = held
        self.consumed = consumed
    }
}

package enum ReservationState: UInt8, Sendable {
    case open = 1
    case committed = 2
    case released = 3
    /// Its time ran out. A commit within `LedgerRules.lateCommitWindow` may still charge it, which makes it committed.
    case expired = 4
}

/// What was asked when a reservation was made; it never changes afterwards. Its entry, its reservation and all of its
/// answers share it: handing it on costs one reference, not one for each of its fields.
package struct ReservationTerms: Equatable, Sendable {
    private final class Fields: Sendable {
        let feature: String
        let actor: String
        let comment: String
        let labels: [Label]
        let quantities: [Quantity]
        let quality: Quality
        let priceVersion: UInt32

        init(
            _ feature: String, _ actor: String, _ comment: String, _ labels: [Label], _ quantities: [Quantity],
            _ quality: Quality, _ priceVersion: UInt32
        ) {
            self.feature = feature
            self.actor = actor
            self.comment = comment
            self.labels = labels
            self.quantities = quantities
            self.quality = quality
            self.priceVersion = priceVersion
        }
    }

    private let fields: Fields

    package var feature: String { fields.feature }
    package var actor: String { fields.actor }
    package var comment: String { fields.comment }
    /// Sorted by key.
    package var labels: [Label] { fields.labels }
    /// Sorted by unit; empty where a plain amount was asked.
    package var quantities: [Quantity] { fields.quantities }
    package var quality: Quality { fields.quality }
    /// The tenant's number of the price under which it was made, 0 where a plain amount was asked.
    package var priceVersion: UInt32 { fields.priceVersion }

    package init(
        feature: String = "", actor: String = "", comment: String = "", labels: [Label] = [],
        quantities: [Quantity] = [], quality: Quality = .unspecified, priceVersion: UInt32 = 0
    ) {
        fields = Fields(feature, actor, comment, labels, quantities, quality, priceVersion)
    }

    package static let empty = ReservationTerms()

    package static func == (a: Self, b: Self) -> Bool {
        a.fields === b.fields
            || a.feature == b.feature && a.actor == b.actor && a.comment == b.comment && a.labels == b.labels
                && a.quantities == b.quantities && a.quality == b.quality && a.priceVersion == b.priceVersion
    }
}

extension ReservationTerms: CustomStringConvertible {
    package var description: String {
        "(feature: \(feature), actor: \(actor), comment: \(comment), labels: \(labels), quantities: \(quantities), "
            + "quality: \(quality), priceVersion: \(priceVersion))"
    }
}

package struct Label: Equatable, Sendable {
    package var key: String
    package var value: String

    package init(key: String, value: String) {
        self.key = key
        self.value = value
    }
}

/// The part of a reservation that later entries change; each of them carries it whole, as it stands after the entry.
package struct ReservationProgress: Equatable, Sendable {
    package var state: ReservationState
    /// True from a late commit on.
    package var late: Bool
    package var expiresAt: Instant
    /// When it was closed (committed, released or run out), nil while it is open.
    package var closedAt: Instant?
    package var refunded: Int64
    package var draws: Few<Draw>

    package init(
        state: ReservationState, late: Bool = false, expiresAt: Instant, closedAt: Instant? = nil, refunded: Int64 = 0,
        draws: Few<Draw>
    ) {
        self.state = state
        self.late = late
        self.expiresAt = expiresAt
        self.closedAt = closedAt
        self.refunded = refunded
        self.draws = draws
    }

    /// Stands where there is no reservation.
    static let nothing = ReservationProgress(state: .released, expiresAt: .zero, draws: [])

    package var held: Int64 {
        draws.reduce(0) { $0 + $1.held }
    }

    /// All that was charged, before refunds.
    package var committed: Int64 {
        draws.reduce(refunded) { $0 + $1.consumed }
    }
}

/// Credits set aside for one call, and what became of them.
package struct Reservation: Equatable, Sendable {
    package var id: StepID
    package var createdAt: Instant
    package var terms: ReservationTerms
    package var progress: ReservationProgress

    package init(id: StepID, createdAt: Instant, terms: ReservationTerms, progress: ReservationProgress) {
        self.id = id
        self.createdAt = createdAt
        self.terms = terms
        self.progress = progress
    }
}

/// What an entry of the book is. Raw values are stored for ever: never reuse one.
package enum EntryKind: UInt8, CaseIterable, Sendable {
    /// Credits came in.
    case grant = 1
    /// Credits were set aside.
    case reserve = 2
    /// Credits were set aside and charged in one step.
    case charge = 3
    /// The final commit.
    case commit = 4
    case partialCommit = 5
    case release = 6
    /// A hold ended by itself, dated to its exact time.
    case holdExpiry = 7
    case extend = 8
    case refund = 9
    /// What was available of a grant expired, dated to its exact time.
    case grantExpiry = 10
    /// A price that later reservations name by its version.
    case price = 11
    /// A refusal that is remembered under its id. It moves nothing, takes no sequence number, is not part of the chain,
    /// and is forgotten some time after `LedgerRules.refusalMemoryMicroseconds`.
    case refusal = 12
    /// A setting of the tenant's changed.
    case setting = 13
    /// The subscription changed by someone's doing.
    case subscription = 14
    /// The subscription's cycle turned, dated to its exact time.
    case cycle = 15
    /// The days, weeks or months over which limits count began anew.
    case window = 16
    /// Something for the audit trail that changes nothing in the book.
    case note = 17
    /// What was available of a grant was taken back.
    case grantRevocation = 18
}

/// Which family of ids a step's id belongs to: the same UUID may name a reservation and a refund, say.
package enum StepFamily: UInt8, CaseIterable, Sendable {
    case grant = 1
    /// Reserve and charge.
    case opening = 2
    /// Commits with or without an id of their own.
    case commit = 3
    /// A partial commit without an id of its own: `id` is the reservation's, mixed with the fingerprint.
    case anonymousPartial = 4
    case release = 5
    case refund = 6
    case extend = 7
    /// The id is the grant's.
    case grantRevocation = 8
    case subscription = 9
    case note = 10
}

/// Under what a step is remembered.
package struct StepKey: Hashable, Sendable {
    package var family: StepFamily
    package var id: StepID

    package init(family: StepFamily, id: StepID) {
        self.family = family
        self.id = id
    }
}

/// What a tenant has after an entry.
package struct BalanceAfter: Equatable, Sendable {
    package var available: Int64
    package var held: Int64

    package init(available: Int64, held: Int64) {
        self.available = available
        self.held = held
    }
}

/// One event of a tenant's book: what the pure core decided, what the journal and the shard store, and all that a
/// projection, a replayed answer or a proof needs. An entry is never changed.
package struct Entry: Equatable, Sendable {
    /// From 1, without a gap, in the tenant's book; 0 for a refusal.
    package var sequence: UInt64
    /// When it holds. Never earlier than the entry before it.
    package var at: Instant
    package var kind: EntryKind
    /// Nil for what happens by itself (expiries, prices) and for an extension without an id.
    package var key: StepKey?
    package var fingerprint: UInt64
    /// The reservation that it is about, zero where there is none.
    package var reservation: StepID
    /// Credits that this entry is about, never negative: granted, held by this step, charged by this step, given back, refunded, expired.
    package var amount: Int64
    package var moves: [Move]
    package var after: BalanceAfter
    /// The comment or reason of a step that is not an opening one (that has it in its terms).
    package var comment: String
    /// Who did a step that is not an opening one, where it is known.
    package var actor: String
    package var detail: Detail
    /// What the audit trail says of it; nil where it says nothing.
    package var audit: AuditNote?

    /// What only some kinds carry.
    package enum Detail: Equatable, Sendable {
        case none
        /// `grant`: the new grant, before anything moved in it. By reference, as it is large and most entries have none.
        indirect case grant(Grant)
        /// `reserve`, `charge`: the reservation begins.
        case opening(ReservationTerms, ReservationProgress)
        /// Any later entry of a reservation: its progress afterwards, and the quantities that a commit was priced by.
        case progress(ReservationProgress, quantities: [Quantity])
        case price(version: UInt32, FeaturePrice)
        case refusal(Refusal)
        /// `setting`, `subscription`, `cycle`, `window`: what governs the book from now on.
        indirect case change(GovernanceChange)
    }

    package init(
        sequence: UInt64, at: Instant, kind: EntryKind, key: StepKey? = nil, fingerprint: UInt64 = 0,
        reservation: StepID = .zero, amount: Int64 = 0, moves: [Move] = [], after: BalanceAfter, comment: String = "",
        actor: String = "", detail: Detail = .none, audit: AuditNote? = nil
    ) {
        self.sequence = sequence
        self.at = at
        self.kind = kind
        self.key = key
        self.fingerprint = fingerprint
        self.reservation = reservation
        self.amount = amount
        self.moves = moves
        self.after = after
        self.comment = comment
        self.actor = actor
        self.detail = detail
        self.audit = audit
    }
}

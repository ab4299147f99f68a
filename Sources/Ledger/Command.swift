/// What a caller asks of one tenant's book. Already checked at the edge: amounts are positive where they must be, texts are bounded.
/// It passes through many hands and is large, so that it is handed on by reference.
package indirect enum Command: Sendable {
    case grant(GrantCommand)
    case reserve(ReserveCommand)
    /// Reserve and commit in one.
    case charge(ReserveCommand)
    case commit(CommitCommand)
    case release(ReleaseCommand)
    case refund(RefundCommand)
    case extend(ExtendCommand)
    case subscribe(SubscriptionCommand)
    case set(SettingCommand)
    case revoke(RevokeCommand)
    case note(NoteCommand)
}

/// What is asked for: a plain amount, or quantities at a price.
package enum Ask: Equatable, Sendable {
    case amount(Int64)
    /// None where a fixed price is asked for. `price` is what the rate card says; a commit leaves it nil and is priced as
    /// its reservation was.
    case quantities([Quantity], quality: Quality, price: PriceSchedule?)

    /// None for a plain amount.
    var quantities: [Quantity] {
        if case .quantities(let quantities, _, _) = self { quantities } else { [] }
    }

    /// Unspecified for a plain amount.
    var quality: Quality {
        if case .quantities(_, let quality, _) = self { quality } else { .unspecified }
    }
}

package struct GrantCommand: Sendable {
    package var id: StepID
    package var fingerprint: UInt64
    package var kind: GrantKind
    package var amountMicros: Int64
    package var expiresAt: Instant?
    package var actor: String
    package var comment: String
    /// Who asks; nil leaves the audit trail as it is.
    package var origin: CallOrigin?

    package init(
        id: StepID, fingerprint: UInt64, kind: GrantKind, amountMicros: Int64, expiresAt: Instant? = nil,
        actor: String = "", comment: String = ""
    ) {
        self.id = id
        self.fingerprint = fingerprint
        self.kind = kind
        self.amountMicros = amountMicros
        self.expiresAt = expiresAt
        self.actor = actor
        self.comment = comment
    }
}

package struct ReserveCommand: Sendable {
    package var id: StepID
    /// 64 bits of a digest of the request's contents: the same id with another fingerprint is refused.
    package var fingerprint: UInt64
    package var ask: Ask
    /// Hold less than asked, but at least this, where not all is there; nil for all or nothing. Has no meaning for a charge.
    package var minimumMicros: Int64?
    /// How long the hold lasts, microseconds.
    package var ttlMicroseconds: Int64
    package var feature: String
    package var actor: String
    package var comment: String
    package var labels: [Label]
    /// Who asks, for the audit trail where the step is refused; nil leaves the trail as it is.
    package var origin: CallOrigin?

    package init(
        id: StepID, fingerprint: UInt64, ask: Ask, minimumMicros: Int64? = nil,
        ttlMicroseconds: Int64 = LedgerRules.defaultTTLMicroseconds, feature: String = "", actor: String = "",
        comment: String = "", labels: [Label] = []
    ) {
        self.id = id
        self.fingerprint = fingerprint
        self.ask = ask
        self.minimumMicros = minimumMicros
        self.ttlMicroseconds = ttlMicroseconds
        self.feature = feature
        self.actor = actor
        self.comment = comment
        self.labels = labels
    }
}

package struct CommitCommand: Sendable {
    package var reservation: StepID
    /// The commit's own id. Nil: a final commit goes by its reservation's id, a partial one by that and its contents.
    package var id: StepID?
    package var fingerprint: UInt64
    package var ask: Ask
    /// Charge some and keep the hold open.
    package var partial: Bool
    package var comment: String
    /// Who asks, for the audit trail where the step is refused; nil leaves the trail as it is.
    package var origin: CallOrigin?

    package init(
        reservation: StepID, id: StepID? = nil, fingerprint: UInt64, ask: Ask, partial: Bool = false,
        comment: String = ""
    ) {
        self.reservation = reservation
        self.id = id
        self.fingerprint = fingerprint
        self.ask = ask
        self.partial = partial
        self.comment = comment
    }
}

package struct ReleaseCommand: Sendable {
    package var reservation: StepID
    package var fingerprint: UInt64
    package var reason: String

    package init(reservation: StepID, fingerprint: UInt64, reason: String = "") {
        self.reservation = reservation
        self.fingerprint = fingerprint
        self.reason = reason
    }
}

package struct RefundCommand: Sendable {
    package var id: StepID
    package var reservation: StepID
    package var fingerprint: UInt64
    /// Nil for all that is left to refund.
    package var amountMicros: Int64?
    package var reason: String

    package init(
        id: StepID, reservation: StepID, fingerprint: UInt64, amountMicros: Int64? = nil, reason: String = ""
    ) {
        self.id = id
        self.reservation = reservation
        self.fingerprint = fingerprint
        self.amountMicros = amountMicros
        self.reason = reason
    }
}

package struct ExtendCommand: Sendable {
    package var reservation: StepID
    /// Nil: every call is a step of its own, which is harmless as the expiry only ever moves later.
    package var id: StepID?
    package var fingerprint: UInt64
    /// The hold then ends this long after now, but never earlier than it did, microseconds.
    package var ttlMicroseconds: Int64

    package init(reservation: StepID, id: StepID? = nil, fingerprint: UInt64, ttlMicroseconds: Int64) {
        self.reservation = reservation
        self.id = id
        self.fingerprint = fingerprint
        self.ttlMicroseconds = ttlMicroseconds
    }
}

/// The fixed rules of time.
package enum LedgerRules {
    package static let defaultTTLMicroseconds: Int64 = 15 * 60 * 1_000_000
    package static let maxTTLMicroseconds: Int64 = 7 * 24 * 3600 * 1_000_000
    package static let lateCommitWindowMicroseconds: Int64 = 10 * 60 * 1_000_000
    /// How long a refusal is remembered under its id, at the least.
    package static let refusalMemoryMicroseconds: Int64 = 24 * 3600 * 1_000_000
}

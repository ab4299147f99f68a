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
/// projection, a replayed answer or a proof needs. An entry is never changed: everybody who has it shares it, and one that is
/// changed is another.
package struct Entry: Equatable, Sendable {
    private final class Fields: Sendable {
        let value: Value

        init(_ value: Value) {
            self.value = value
        }
    }

    /// What an entry says. It is large, which is why it is not handed about.
    struct Value: Equatable, Sendable {
        var sequence: UInt64
        var at: Instant
        var kind: EntryKind
        var key: StepKey?
        var fingerprint: UInt64 = 0
        var reservation: StepID = .zero
        var amount: Int64 = 0
        var moves: Few<Move> = []
        var after: BalanceAfter
        var comment = ""
        var actor = ""
        var audit: AuditNote?
        var subject = Subject.nothing
        /// Of an entry that begins a reservation.
        var terms: ReservationTerms?
        /// Of an entry about a reservation; for any other it means nothing.
        var progress = ReservationProgress.nothing
        var quantities: [Quantity] = []
    }

    /// What an entry is about, and all of `Detail` that is rare. What steps have in common stands by itself, where it is read
    /// without being taken out of anything.
    enum Subject: Equatable, Sendable {
        case nothing
        case opening
        case progress
        indirect case grant(Grant)
        indirect case price(version: UInt32, FeaturePrice)
        indirect case refusal(Refusal)
        indirect case change(GovernanceChange)
    }

    private var fields: Fields

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

    init(_ value: Value) {
        fields = Fields(value)
    }

    package init(
        sequence: UInt64, at: Instant, kind: EntryKind, key: StepKey? = nil, fingerprint: UInt64 = 0,
        reservation: StepID = .zero, amount: Int64 = 0, moves: Few<Move> = [], after: BalanceAfter,
        comment: String = "", actor: String = "", detail: Detail = .none, audit: AuditNote? = nil
    ) {
        var value = Value(
            sequence: sequence, at: at, kind: kind, key: key, fingerprint: fingerprint, reservation: reservation,
            amount: amount, moves: moves, after: after, comment: comment, actor: actor, audit: audit)
        value.detail = detail
        fields = Fields(value)
    }

    package static func == (a: Entry, b: Entry) -> Bool {
        a.fields === b.fields || a.value == b.value
    }

    private(set) var value: Value {
        get { fields.value }
        set { fields = Fields(newValue) }
    }
}

extension Entry: CustomStringConvertible {
    package var description: String { String(describing: value) }
}

extension Entry.Value {
    var detail: Entry.Detail {
        get {
            switch subject {
            case .nothing: .none
            case .opening: .opening(terms ?? .empty, progress)
            case .progress: .progress(progress, quantities: quantities)
            case .grant(let grant): .grant(grant)
            case .price(let version, let price): .price(version: version, price)
            case .refusal(let refusal): .refusal(refusal)
            case .change(let change): .change(change)
            }
        }
        set {
            (terms, progress, quantities) = (nil, .nothing, [])
            switch newValue {
            case .none: subject = .nothing
            case .opening(let terms, let progress): (subject, self.terms, self.progress) = (.opening, terms, progress)
            case .progress(let progress, let quantities):
                (subject, self.progress, self.quantities) = (.progress, progress, quantities)
            case .grant(let grant): subject = .grant(grant)
            case .price(let version, let price): subject = .price(version: version, price)
            case .refusal(let refusal): subject = .refusal(refusal)
            case .change(let change): subject = .change(change)
            }
        }
    }
}

/// What the core reads in place of `detail`, which has to be put together.
extension Entry {
    var subject: Subject { fields.value.subject }
    var terms: ReservationTerms? { fields.value.terms }
    var progress: ReservationProgress { fields.value.progress }
    var quantities: [Quantity] { fields.value.quantities }
}

extension Entry {
    /// From 1, without a gap, in the tenant's book; 0 for a refusal.
    package var sequence: UInt64 {
        get { fields.value.sequence }
        set { value.sequence = newValue }
    }

    /// When it holds. Never earlier than the entry before it.
    package var at: Instant {
        get { fields.value.at }
        set { value.at = newValue }
    }

    package var kind: EntryKind {
        get { fields.value.kind }
        set { value.kind = newValue }
    }

    /// Nil for what happens by itself (expiries, prices) and for an extension without an id.
    package var key: StepKey? {
        get { fields.value.key }
        set { value.key = newValue }
    }

    package var fingerprint: UInt64 {
        get { fields.value.fingerprint }
        set { value.fingerprint = newValue }
    }

    /// The reservation that it is about, zero where there is none.
    package var reservation: StepID {
        get { fields.value.reservation }
        set { value.reservation = newValue }
    }

    /// Credits that this entry is about, never negative: granted, held by this step, charged by this step, given back, refunded, expired.
    package var amount: Int64 {
        get { fields.value.amount }
        set { value.amount = newValue }
    }

    package var moves: Few<Move> {
        get { fields.value.moves }
        set { value.moves = newValue }
    }

    package var after: BalanceAfter {
        get { fields.value.after }
        set { value.after = newValue }
    }

    /// The comment or reason of a step that is not an opening one (that has it in its terms).
    package var comment: String {
        get { fields.value.comment }
        set { value.comment = newValue }
    }

    /// Who did a step that is not an opening one, where it is known.
    package var actor: String {
        get { fields.value.actor }
        set { value.actor = newValue }
    }

    package var detail: Detail {
        get { fields.value.detail }
        set { value.detail = newValue }
    }

    /// What the audit trail says of it; nil where it says nothing.
    package var audit: AuditNote? {
        get { fields.value.audit }
        set { value.audit = newValue }
    }
}

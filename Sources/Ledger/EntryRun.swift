/// The entries of a decision that has several which move credits: each stands on the balance that the one before leaves.
struct EntryRun {
    private(set) var entries: [Entry] = []
    private let at: Instant
    private var sequence: UInt64
    private var after: BalanceAfter
    private var owed: Int64
    private var granted: Int64
    private var grantCount: Int

    init(after state: borrowing LedgerState, at instant: Instant) {
        at = instant
        sequence = state.sequence
        after = state.balance
        owed = state.overage.owed
        granted = state.totals.granted
        grantCount = state.grants.count
    }

    mutating func add(
        _ kind: EntryKind, key: StepKey? = nil, amount: Int64 = 0, moves: Few<Move> = [], comment: String = "",
        detail: Entry.Detail = .none, audit: AuditNote? = nil
    ) {
        sequence += 1
        for move in moves {
            after.held += move.held
            after.available += move.available
        }
        if case .grant(let grant) = detail { after.available += grant.amount }
        entries.append(
            Entry(
                sequence: sequence, at: at, kind: kind, key: key, amount: amount, moves: moves, after: after,
                comment: comment, detail: detail, audit: audit))
    }

    /// A new grant, which pays what is owed first. The book can hold it.
    mutating func add(_ grant: Grant) {
        let paid = min(grant.amount, owed)
        owed -= paid
        granted += grant.amount
        grantCount += 1
        add(
            .grant, amount: grant.amount, moves: paid > 0 ? [Move(grant: grant.number, paid: paid)] : [],
            detail: .grant(grant))
    }

    /// A grant that comes by itself. One that no book can hold is left out.
    mutating func grant(_ kind: GrantKind, _ amount: Int64, expiresAt: Instant?, _ origin: GrantOrigin) {
        guard amount > 0, granted.checkedSum(amount) != nil, grantCount < Limits.maxGrants else { return }
        add(
            Grant(
                number: UInt32(grantCount + 1), id: .derived(at: at, sequence: sequence + 1), kind: kind, createdAt: at,
                expiresAt: expiresAt, comment: "", amount: amount, origin: origin))
    }

    /// Takes back what is available of a grant.
    mutating func revoke(
        _ grant: Grant, key: StepKey? = nil, comment: String = "", audit: AuditNote? = nil
    ) {
        add(
            .grantRevocation, key: key, amount: grant.available,
            moves: [Move(grant: grant.number, expired: grant.available)], comment: comment, audit: audit)
    }
}

extension StepID {
    /// The id of something that came by itself, made from its place in the tenant's book: a UUID of version 8 (RFC 9562,
    /// section 5.8).
    package static func derived(at instant: Instant, sequence: UInt64) -> StepID {
        StepID(
            high: UInt64(bitPattern: instant.microseconds / 1_000) << 16 | 0x8000,
            low: 0x8000_0000_0000_0000 | sequence & 0x3FFF_FFFF_FFFF_FFFF)
    }
}

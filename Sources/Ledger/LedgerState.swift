/// One tenant's book, as far as memory must know it: what is there, what is held, and which steps were done lately.
///
/// It changes by entries alone (`evolve`), and the same entries lead to the same state wherever and whenever they are
/// evolved. A step goes: `settle` what is due, `recall` what memory let go of, `decide`, `evolve` what was decided.
/// At all times granted + overage == available + held + consumed + expired, and for each grant amount == available + held +
/// consumed + expired + paid.
///
/// There is one state of a book, and it is large: it cannot be copied, not even by an optimizer that sees no other way.
package struct LedgerState: ~Copyable, Sendable {
    /// Number of the last entry, 0 in an empty book.
    package internal(set) var sequence: UInt64
    /// Date of the last entry: no entry is dated earlier than the one before it.
    package internal(set) var lastAt: Instant
    package internal(set) var totals: BookTotals
    package internal(set) var governance: Governance

    var grantTable: GrantTable
    var holds = HoldQueue()
    var memory: StepMemory
    var prices: PriceTable
    var usageTable: UsageTable
    /// Ids of all steps and reservations that the book ever had.
    var seen: IDMark
    package internal(set) var openReservationCount = 0
    var refusalNotes = RefusalNotes()
    /// Of no type that is known beforehand, for which alone a state is read where it lies: any other of its size is copied to
    /// the stack, all of it, by whoever calls one of its functions.
    private let inPlace: (any Sendable)? = nil

    /// An empty book: it knows every id, as there are none.
    package init() {
        self.init(restoring: BookSnapshot())
    }

    /// A book that is known as far as the snapshot says; every older step has to be recalled. A snapshot from a file has
    /// passed `BookSnapshot.check` before.
    package init(restoring snapshot: BookSnapshot) {
        sequence = snapshot.sequence
        lastAt = snapshot.at
        totals = snapshot.totals
        grantTable = GrantTable(snapshot.grants, snapshot.overage)
        governance = snapshot.governance
        prices = PriceTable(snapshot.prices)
        usageTable = UsageTable(snapshot.usage)
        seen = IDMark(greatest: snapshot.newestTimeOrderedID, holdsOthers: snapshot.holdsOtherIDs)
        memory = StepMemory(forgotten: seen)
        for reservation in snapshot.openReservations {
            let place = memory.reservations.insert(reservation)
            holds.push(.init(expiresAt: reservation.progress.expiresAt, id: reservation.id, slot: place))
        }
        openReservationCount = snapshot.openReservations.count
        if !governance.limits.isEmpty { governance.limits.recountHeld(snapshot.openReservations) }
        precondition(totals.isConserved, "a book whose credits do not add up")
    }
}

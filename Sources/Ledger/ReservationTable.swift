/// What a step did to a reservation: with the reservation's terms it makes the step's answer again, to the letter.
struct StepTrace: Sendable {
    var kind: EntryKind
    var fingerprint: UInt64
    var at: Instant
    var amount: Int64
    var balance: BalanceAfter
    var progress: ReservationProgress

    init(_ entry: Entry) {
        kind = entry.kind
        fingerprint = entry.fingerprint
        at = entry.at
        amount = entry.amount
        balance = entry.after
        progress = entry.progress
    }

    /// - Parameter reservation: in any state; its id, terms and date are taken.
    func answer(_ reservation: Reservation) -> StepAnswer {
        var then = reservation
        then.progress = progress
        return StepAnswer(kind: kind, at: at, amount: amount, balance: balance, reservation: then)
    }
}

/// A reservation in memory, and the steps on it that go by its own id.
struct ReservationSlot: Sendable {
    var reservation: Reservation
    /// False for one that went on after a restart while its beginning is known to the shard alone: then terms and date in
    /// `reservation` mean nothing.
    var hasTerms = false
    /// Memory knows every commit and release that goes by this id, from the beginning.
    var isWhole = false
    /// The reserve or charge that made it, where memory knows it.
    var opening: StepTrace?
    /// The final commit or the release that goes by its id, where there is one and memory knows it.
    var closing: StepTrace?
    /// Number of the last entry that memory saw of it, 0 where it came from the shard as it is.
    var lastSequence: UInt64 = 0

    static let empty = ReservationSlot(
        reservation: Reservation(
            id: .zero, createdAt: .zero, terms: .empty,
            progress: .nothing))

    /// The entry began the reservation.
    mutating func begin(_ entry: Entry, _ terms: ReservationTerms, isWhole: Bool) {
        reservation.createdAt = entry.at
        reservation.terms = terms
        reservation.progress = entry.progress
        hasTerms = true
        self.isWhole = isWhole
        opening = StepTrace(entry)
        lastSequence = entry.sequence
    }

    /// The entry came later.
    mutating func goOn(_ entry: Entry) {
        reservation.progress = entry.progress
        lastSequence = entry.sequence
    }
}

/// The reservations in memory, found by id. Places are used again, so that a busy book does not allocate.
struct ReservationTable: Sendable {
    private var index = IDTable()
    private var slots: [ReservationSlot] = []
    private var free: [Int] = []

    var count: Int { index.count }

    /// The place of a reservation.
    func find(_ id: StepID) -> Int? { index.find(id) }

    subscript(place: Int) -> ReservationSlot {
        _read { yield slots[place] }
        _modify { yield &slots[place] }
    }

    /// The step of that family that goes by the reservation's own id. Reads no more of the slot than it needs.
    func trace(_ place: Int, _ family: StepFamily) -> StepTrace? {
        switch family {
        case .opening: slots[place].opening
        case .commit: slots[place].closing?.kind == .commit ? slots[place].closing : nil
        case .release: slots[place].closing?.kind == .release ? slots[place].closing : nil
        case .grant, .anonymousPartial, .refund, .extend, .grantRevocation, .subscription, .note: nil
        }
    }

    /// Makes room for a reservation that is not in the table; everything of it but the id is filled in by the caller, in
    /// place, as a slot is large to hand about.
    mutating func insert(_ id: StepID) -> Int {
        let place: Int
        if let used = free.popLast() {
            place = used
        } else {
            place = slots.count
            slots.append(.empty)
        }
        slots[place].reservation.id = id
        index.insert(id, place)
        return place
    }

    mutating func insert(_ reservation: Reservation) -> Int {
        let place = insert(reservation.id)
        slots[place].reservation = reservation
        slots[place].hasTerms = true
        return place
    }

    mutating func remove(_ place: Int) {
        index.remove(slots[place].reservation.id)
        slots[place] = .empty
        free.append(place)
    }

    /// Gives back the room that is no longer needed: where many more were in memory than are, as the steps of one of many
    /// tenants that gathered until its shard took them. A busy book that keeps some of its steps never comes to it.
    mutating func shrink() {
        guard slots.count > Limits.fewSlots, count * 4 <= slots.count else { return }
        var end = slots.count
        while end > 0, index.find(slots[end - 1].reservation.id) != end - 1 { end -= 1 }
        // Open ones that stand far behind keep what is before them.
        guard end * 2 <= slots.count else { return }
        slots = Array(slots[..<end])
        free = free.filter { $0 < end }
        index.shrink()
    }

    /// The queued hold is still open and still ends when the queue says.
    func isLive(_ item: HoldQueue.Item) -> Bool {
        item.slot < slots.count && slots[item.slot].reservation.id == item.id
            && slots[item.slot].reservation.progress.state == .open
            && slots[item.slot].reservation.progress.expiresAt == item.expiresAt
    }

    /// The open ones, in the order in which they were made.
    func open() -> [Reservation] {
        slots.lazy.map(\.reservation).filter { $0.progress.state == .open }
            .sorted { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
    }
}

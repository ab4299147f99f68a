import Ledger

/// What a run of records does to the tables, folded first: moves summed by grant, use by bucket, what governs the book as
/// it stands afterwards, and reservations that open and close within the run written once. Entries are read in place; their
/// bytes go to the shard as they are.
struct FlushFold {
    struct GrantChange {
        let number: UInt32
        var available: Int64 = 0
        var held: Int64 = 0
        var consumed: Int64 = 0
        var expired: Int64 = 0
        var paid: Int64 = 0
        var refunded: Int64 = 0
        /// Set where this run took it back.
        var revokedAt: Instant?
    }

    struct ReservationChange {
        let id: StepID
        /// Set where the reservation began in this run.
        var opened: UInt64?
        var closed: UInt64?
        var last: UInt64
        /// Place of what it is for, where that is known.
        var subject: Int?
    }

    struct EntryRow {
        let sequence: UInt64
        let body: Range<Int>
        let hash: ChainHash
    }

    private(set) var meta: ShardMeta
    private(set) var rows: [EntryRow] = []
    /// The bodies of all rows.
    private(set) var bodies: [UInt8] = []
    private(set) var newGrants: [Grant] = []
    private(set) var grants: [GrantChange] = []
    private(set) var reservations: [ReservationChange] = []
    private(set) var subjects = UseFold.SubjectTable()
    private(set) var uses = UseFold()
    private(set) var steps: [(key: StepKey, sequence: UInt64)] = []
    private(set) var prices: [(version: UInt32, sequence: UInt64)] = []
    private(set) var audited: [(sequence: UInt64, at: Instant)] = []
    private(set) var refusals: [(key: StepKey, at: Instant, body: Range<Int>)] = []
    /// The date of the newest entry or refusal.
    private(set) var newest: Instant?

    private var grantPlaces: [UInt32: Int] = [:]
    private var reservationPlaces = IDTable()
    private let path: String

    init(after meta: ShardMeta, path: String) {
        self.meta = meta
        self.path = path
    }

    /// - Parameter lookUp: The subject of a reservation that began before this run.
    mutating func add(
        record: UnsafeRawBufferPointer, at position: UInt64, lookUp: (StepID) throws(StorageError) -> UseFold.Subject
    ) throws(StorageError) {
        var entries = try readable(position) { () throws(CodecError) in try EntryViews(ofRecord: record) }
        while let entry = try readable(position, { () throws(CodecError) in try entries.next() }) {
            try add(entry, at: position, lookUp)
        }
    }

    mutating func finish(position: UInt64) {
        meta.position = position
    }

    private func readable<Value>(
        _ position: UInt64, _ read: () throws(CodecError) -> Value
    ) throws(StorageError) -> Value {
        do throws(CodecError) {
            return try read()
        } catch {
            throw .corrupt(path: "journal", reason: "record \(position), for \(path): \(error)")
        }
    }

    private mutating func add(
        _ entry: EntryView, at position: UInt64, _ lookUp: (StepID) throws(StorageError) -> UseFold.Subject
    ) throws(StorageError) {
        if let key = entry.key { note(key.id) }
        newest = entry.at
        if entry.kind == .refusal {
            if let key = entry.key { refusals.append((key, entry.at, appendBody(of: entry))) }
            return
        }
        if entry.reservation != .zero { note(entry.reservation) }
        switch entry.kind {
        case .grant, .price, .setting, .subscription, .cycle, .window:
            try addRare(try readable(position) { () throws(CodecError) in try entry.entry() })
        default: break
        }
        try continueBook(with: entry)
        if let key = entry.key, !entry.isKeyedByReservation { steps.append((key, entry.sequence)) }
        try noteReservation(of: entry)
        try noteUse(of: entry, lookUp)
        if entry.isAudited { try noteAudit(of: entry, at: position) }
    }

    private mutating func note(_ id: StepID) {
        if !id.isTimeOrdered {
            meta.holdsOtherIDs = true
        } else if meta.newestID < id {
            meta.newestID = id
        }
    }

    private mutating func addRare(_ entry: Entry) throws(StorageError) {
        switch entry.detail {
        case .grant(let grant):
            newGrants.append(grant)
            meta.totals.granted &+= grant.amount
            meta.totals.available &+= grant.amount
        case .price(let version, _):
            prices.append((version, entry.sequence))
        case .change(let change):
            meta.governance.apply(change, at: entry.at)
        default:
            throw .misplaced(path: path, reason: "entry \(entry.sequence) has not the detail of its kind")
        }
    }

    // MARK: - The book itself

    private mutating func continueBook(with entry: EntryView) throws(StorageError) {
        guard entry.sequence == meta.sequence + 1 else {
            throw .misplaced(path: path, reason: "entry \(entry.sequence) does not follow entry \(meta.sequence)")
        }
        guard entry.at >= meta.at else {
            throw .misplaced(path: path, reason: "entry \(entry.sequence) is dated before the one before it")
        }
        entry.forEachMove { add($0, isRefund: entry.kind == .refund) }
        if entry.kind == .grantRevocation { entry.forEachMove { grants[placeOfGrant($0.grant)].revokedAt = entry.at } }
        guard meta.totals.isConserved, meta.totals.available == entry.after.available,
            meta.totals.held == entry.after.held
        else {
            throw .misplaced(path: path, reason: "entry \(entry.sequence) does not go with the balance before it")
        }
        let body = appendBody(of: entry)
        meta.head = bodies.readable { HashChain.link(meta.head, UnsafeRawBufferPointer(rebasing: $0[body])) }
        meta.sequence = entry.sequence
        meta.at = entry.at
        rows.append(EntryRow(sequence: entry.sequence, body: body, hash: meta.head))
    }

    private mutating func appendBody(of entry: EntryView) -> Range<Int> {
        let start = bodies.count
        bodies.append(entry.version)
        bodies.append(contentsOf: entry.bytes)
        return start..<bodies.count
    }

    /// Sums wrap around instead of trapping: what does not add up is found by the check that follows.
    private mutating func add(_ move: Move, isRefund: Bool) {
        if move.grant == Move.overageNumber {
            meta.overage.held &+= move.held
            meta.overage.consumed &+= move.consumed
        } else {
            let place = placeOfGrant(move.grant)
            grants[place].held &+= move.held
            grants[place].consumed &+= move.consumed
            grants[place].expired &+= move.expired
            grants[place].paid &+= move.paid
            grants[place].available &+= move.available
            if isRefund { grants[place].refunded &-= move.consumed }
            meta.overage.paid &+= move.paid
        }
        meta.totals.held &+= move.held
        meta.totals.consumed &+= move.consumed
        meta.totals.expired &+= move.expired
        meta.totals.available &+= move.available
        meta.totals.overage &+= move.overage
    }

    /// Most moves are in the grant of the move before.
    private mutating func placeOfGrant(_ number: UInt32) -> Int {
        if let last = grants.last, last.number == number { return grants.count - 1 }
        if let place = grantPlaces[number] { return place }
        grantPlaces[number] = grants.count
        grants.append(GrantChange(number: number))
        return grants.count - 1
    }

    // MARK: - Projections

    private mutating func noteReservation(of entry: EntryView) throws(StorageError) {
        guard let state = entry.state else { return }
        let closed = entry.closesReservation ? entry.sequence : nil
        if entry.kind == .reserve || entry.kind == .charge {
            guard reservationPlaces.find(entry.reservation) == nil else {
                throw .misplaced(path: path, reason: "entry \(entry.sequence) begins a reservation that is there")
            }
            reservationPlaces.insert(entry.reservation, reservations.count)
            reservations.append(
                ReservationChange(
                    id: entry.reservation, opened: entry.sequence, closed: state == .open ? nil : entry.sequence,
                    last: entry.sequence, subject: subjects.place(entry.feature, entry.actor)))
        } else if let place = reservationPlaces.find(entry.reservation) {
            reservations[place].last = entry.sequence
            if let closed { reservations[place].closed = closed }
        } else {
            reservationPlaces.insert(entry.reservation, reservations.count)
            reservations.append(ReservationChange(id: entry.reservation, closed: closed, last: entry.sequence))
        }
    }

    private mutating func noteUse(
        of entry: EntryView, _ lookUp: (StepID) throws(StorageError) -> UseFold.Subject
    ) throws(StorageError) {
        let use = entry.use
        guard use.micros != 0 || use.calls != 0 else { return }
        guard let place = reservationPlaces.find(entry.reservation) else {
            throw .misplaced(path: path, reason: "entry \(entry.sequence) charges no reservation")
        }
        let subject: Int
        if let known = reservations[place].subject {
            subject = known
        } else {
            subject = subjects.place(try lookUp(entry.reservation))
            reservations[place].subject = subject
        }
        uses.add(use, at: entry.at, subject: subject)
        if use.micros != 0, !meta.governance.limits.isEmpty {
            meta.governance.limits.add(
                consumed: use.micros, held: 0, isRefund: entry.kind == .refund, feature: subjects[subject].feature,
                member: subjects[subject].actor)
        }
    }

    /// What a step would have met with, had limits on trial been in force, counts against them.
    private mutating func noteAudit(of entry: EntryView, at position: UInt64) throws(StorageError) {
        audited.append((entry.sequence, entry.at))
        guard entry.state != nil, !meta.governance.limits.isEmpty else { return }
        let audit = try readable(position) { () throws(CodecError) in try entry.entry() }.audit
        meta.governance.limits.noteWouldRefuse(audit?.limits ?? [])
    }
}

extension EntryView {
    /// The reservation is not open any more because of this entry; a late commit closes it once more.
    var closesReservation: Bool {
        switch kind {
        case .charge, .commit, .release, .holdExpiry: true
        default: false
        }
    }
}

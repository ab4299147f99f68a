import Ledger

/// What a run of records does to the tables, folded first: moves summed by grant, usage by bucket, and reservations that
/// open and close within the run written once. Entries are read in place; their bytes go to the shard as they are.
struct FlushFold {
    struct GrantChange {
        let number: UInt32
        var available: Int64 = 0
        var held: Int64 = 0
        var consumed: Int64 = 0
        var expired: Int64 = 0
        var refunded: Int64 = 0
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

    struct Use: Equatable {
        var micros: Int64 = 0
        var calls: Int64 = 0
    }

    struct DailyKey: Hashable {
        var day: Int64
        var subject: Subject
    }

    /// For whom, and for what, credits were used.
    struct Subject: Hashable {
        var feature: String
        var actor: String
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
    private(set) var subjects = SubjectTable()
    private(set) var steps: [(key: StepKey, sequence: UInt64)] = []
    private(set) var prices: [(version: UInt32, sequence: UInt64)] = []
    private(set) var usage: [(quarterHour: Int64, use: Use)] = []
    private(set) var refusals: [(key: StepKey, at: Instant, body: Range<Int>)] = []
    /// The date of the newest entry or refusal.
    private(set) var newest: Instant?

    /// By day, then by place of the subject.
    private var days: [(day: Int64, uses: [Use?])] = []
    private var grantPlaces: [UInt32: Int] = [:]
    private var reservationPlaces = IDTable()
    private let path: String

    init(after meta: ShardMeta, path: String) {
        self.meta = meta
        self.path = path
    }

    /// - Parameter lookUp: The subject of a reservation that began before this run.
    mutating func add(
        record: UnsafeRawBufferPointer, at position: UInt64, lookUp: (StepID) throws(StorageError) -> Subject
    ) throws(StorageError) {
        var entries = try readable(position) { () throws(CodecError) in try EntryViews(ofRecord: record) }
        while let entry = try readable(position, { () throws(CodecError) in try entries.next() }) {
            try add(entry, at: position, lookUp)
        }
    }

    mutating func finish(position: UInt64) {
        meta.position = position
    }

    /// What was used, by day and for whom.
    func forEachDailyUse(_ body: (DailyKey, Use) throws(StorageError) -> Void) throws(StorageError) {
        for (day, uses) in days {
            for (place, use) in uses.enumerated() {
                if let use { try body(DailyKey(day: day, subject: subjects[place]), use) }
            }
        }
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
        _ entry: EntryView, at position: UInt64, _ lookUp: (StepID) throws(StorageError) -> Subject
    ) throws(StorageError) {
        if let key = entry.key { note(key.id) }
        newest = entry.at
        if entry.kind == .refusal {
            if let key = entry.key { refusals.append((key, entry.at, appendBody(of: entry))) }
            return
        }
        if entry.reservation != .zero { note(entry.reservation) }
        switch entry.kind {
        case .grant, .price: try addRare(try readable(position) { () throws(CodecError) in try entry.entry() })
        default: break
        }
        try continueBook(with: entry)
        if let key = entry.key, !entry.isKeyedByReservation { steps.append((key, entry.sequence)) }
        try noteReservation(of: entry)
        try noteUse(of: entry, lookUp)
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
        default:
            throw .corrupt(path: path, reason: "entry \(entry.sequence) has not the detail of its kind")
        }
    }

    // MARK: - The book itself

    private mutating func continueBook(with entry: EntryView) throws(StorageError) {
        guard entry.sequence == meta.sequence + 1 else {
            throw .corrupt(path: path, reason: "entry \(entry.sequence) does not follow entry \(meta.sequence)")
        }
        guard entry.at >= meta.at else {
            throw .corrupt(path: path, reason: "entry \(entry.sequence) is dated before the one before it")
        }
        entry.forEachMove { add($0, isRefund: entry.kind == .refund) }
        guard meta.totals.isConserved, meta.totals.available == entry.after.available,
            meta.totals.held == entry.after.held
        else {
            throw .corrupt(path: path, reason: "entry \(entry.sequence) does not go with the balance before it")
        }
        let body = appendBody(of: entry)
        meta.head = bodies.readable { HashChain.link(meta.head, UnsafeRawBufferPointer(rebasing: $0[body])) }
        meta.sequence = entry.sequence
        meta.at = entry.at
        rows.append(EntryRow(sequence: entry.sequence, body: body, hash: meta.head))
    }

    private mutating func appendBody(of entry: EntryView) -> Range<Int> {
        let start = bodies.count
        bodies.append(EntryCodec.prefix)
        bodies.append(contentsOf: entry.bytes)
        return start..<bodies.count
    }

    /// Sums wrap around instead of trapping: what does not add up is found by the check that follows.
    private mutating func add(_ move: Move, isRefund: Bool) {
        let place = placeOfGrant(move.grant)
        grants[place].held &+= move.held
        grants[place].consumed &+= move.consumed
        grants[place].expired &+= move.expired
        grants[place].available &-= move.held &+ move.consumed &+ move.expired
        if isRefund { grants[place].refunded &-= move.consumed }
        meta.totals.held &+= move.held
        meta.totals.consumed &+= move.consumed
        meta.totals.expired &+= move.expired
        meta.totals.available &-= move.held &+ move.consumed &+ move.expired
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
                throw .corrupt(path: path, reason: "entry \(entry.sequence) begins a reservation that is there")
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
        of entry: EntryView, _ lookUp: (StepID) throws(StorageError) -> Subject
    ) throws(StorageError) {
        let use = entry.use
        guard use.micros != 0 || use.calls != 0 else { return }
        let quarterHour = UsageBucket.quarterHour(of: entry.at)
        // Entries come in order of time.
        if usage.last?.quarterHour != quarterHour { usage.append((quarterHour, Use())) }
        usage[usage.count - 1].use.add(use)
        guard let place = reservationPlaces.find(entry.reservation) else {
            throw .corrupt(path: path, reason: "entry \(entry.sequence) charges no reservation")
        }
        let subject: Int
        if let known = reservations[place].subject {
            subject = known
        } else {
            subject = subjects.place(try lookUp(entry.reservation))
            reservations[place].subject = subject
        }
        if days.last?.day != entry.at.day { days.append((entry.at.day, [])) }
        let day = days.count - 1
        while days[day].uses.count <= subject { days[day].uses.append(nil) }
        if days[day].uses[subject]?.add(use) == nil { days[day].uses[subject] = use }
    }
}

extension FlushFold {
    /// The subjects of a run, each once. Most entries are for the subject of the entry before.
    struct SubjectTable {
        private var subjects: [Subject] = []
        private var places: [Subject: Int] = [:]
        private var latest = 0

        subscript(place: Int) -> Subject { subjects[place] }

        mutating func place(_ feature: UnsafeRawBufferPointer, _ actor: UnsafeRawBufferPointer) -> Int {
            if latest < subjects.count, subjects[latest].feature.hasBytes(feature),
                subjects[latest].actor.hasBytes(actor)
            {
                return latest
            }
            return place(
                Subject(
                    feature: String(decoding: feature, as: UTF8.self), actor: String(decoding: actor, as: UTF8.self)))
        }

        mutating func place(_ subject: Subject) -> Int {
            if let place = places[subject] {
                latest = place
            } else {
                latest = subjects.count
                places[subject] = latest
                subjects.append(subject)
            }
            return latest
        }
    }
}

extension String {
    fileprivate func hasBytes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        utf8.count == bytes.count && utf8.elementsEqual(bytes)
    }
}

extension FlushFold.Use {
    mutating func add(_ other: Self) {
        micros &+= other.micros
        calls &+= other.calls
    }
}

extension EntryView {
    /// What the entry adds to the rollups: the credits that it charged, less those it refunded, and one call where it is the first
    /// charge of its reservation.
    var use: FlushFold.Use {
        var use = FlushFold.Use(micros: consumed)
        switch kind {
        case .charge: use.calls = 1
        case .commit: use.calls = committed == consumed ? 1 : 0
        case .partialCommit: use.calls = consumed > 0 && committed == consumed ? 1 : 0
        default: break
        }
        return use
    }

    /// The reservation is not open any more because of this entry; a late commit closes it once more.
    var closesReservation: Bool {
        switch kind {
        case .charge, .commit, .release, .holdExpiry: true
        default: false
        }
    }
}

extension Instant {
    /// Whole days since 1970-01-01, UTC.
    var day: Int64 {
        let length: Int64 = 24 * 3600 * 1_000_000
        let quotient = microseconds / length
        return microseconds < quotient * length ? quotient - 1 : quotient
    }
}

import Ledger

/// What a run of entries does to the tables, folded first: moves summed by grant, usage by bucket, and reservations that
/// open and close within the run written once.
struct FlushFold {
    struct GrantChange {
        var available: Int64 = 0
        var held: Int64 = 0
        var consumed: Int64 = 0
        var expired: Int64 = 0
        var refunded: Int64 = 0
    }

    struct ReservationChange {
        /// Set where the reservation began in this run.
        var opened: UInt64?
        var closed: UInt64?
        var last: UInt64
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
    private(set) var grants: [UInt32: GrantChange] = [:]
    private(set) var reservations: [StepID: ReservationChange] = [:]
    /// Of reservations that began in this run.
    private(set) var subjects: [StepID: Subject] = [:]
    private(set) var steps: [(key: StepKey, sequence: UInt64)] = []
    private(set) var prices: [(version: UInt32, sequence: UInt64)] = []
    private(set) var usage: [Int64: Use] = [:]
    private(set) var daily: [DailyKey: Use] = [:]
    private(set) var refusals: [Entry] = []

    private let path: String
    private let chain: HashChain

    init(after meta: ShardMeta, chain: HashChain, path: String) {
        self.meta = meta
        self.chain = chain
        self.path = path
    }

    /// - Parameter lookUp: The subject of a reservation that began before this run.
    mutating func add(
        _ entry: Entry, lookUp: (StepID) throws(StorageError) -> Subject
    ) throws(StorageError) {
        note(entry.key?.id)
        if entry.kind == .refusal {
            refusals.append(entry)
            return
        }
        if entry.reservation != .zero { note(entry.reservation) }
        try continueBook(with: entry)
        if let key = entry.key, !entry.isKeyedByReservation { steps.append((key, entry.sequence)) }
        if case .price(let version, _) = entry.detail { prices.append((version, entry.sequence)) }
        noteReservation(of: entry)
        try noteUse(of: entry, lookUp)
    }

    mutating func finish(position: UInt64) {
        meta.position = position
    }

    private mutating func note(_ id: StepID?) {
        guard let id else { return }
        if !id.isTimeOrdered {
            meta.holdsOtherIDs = true
        } else if meta.newestID < id {
            meta.newestID = id
        }
    }

    // MARK: - The book itself

    private mutating func continueBook(with entry: Entry) throws(StorageError) {
        guard entry.sequence == meta.sequence + 1 else {
            throw .corrupt(path: path, reason: "entry \(entry.sequence) does not follow entry \(meta.sequence)")
        }
        guard entry.at >= meta.at else {
            throw .corrupt(path: path, reason: "entry \(entry.sequence) is dated before the one before it")
        }
        if case .grant(let grant) = entry.detail {
            newGrants.append(grant)
            meta.totals.granted &+= grant.amount
            meta.totals.available &+= grant.amount
        }
        for move in entry.moves { add(move, isRefund: entry.kind == .refund) }
        guard meta.totals.isConserved, meta.totals.available == entry.after.available,
            meta.totals.held == entry.after.held
        else {
            throw .corrupt(path: path, reason: "entry \(entry.sequence) does not go with the balance before it")
        }
        let start = bodies.count
        EntryCodec.encode(entry, into: &bodies)
        let body = start..<bodies.count
        meta.head = bodies.readable { chain.link(meta.head, UnsafeRawBufferPointer(rebasing: $0[body])) }
        meta.sequence = entry.sequence
        meta.at = entry.at
        rows.append(EntryRow(sequence: entry.sequence, body: body, hash: meta.head))
    }

    /// Sums wrap around instead of trapping: what does not add up is found by the check that follows.
    private mutating func add(_ move: Move, isRefund: Bool) {
        var change = grants[move.grant] ?? GrantChange()
        change.held &+= move.held
        change.consumed &+= move.consumed
        change.expired &+= move.expired
        change.available &-= move.held &+ move.consumed &+ move.expired
        if isRefund { change.refunded &-= move.consumed }
        grants[move.grant] = change
        meta.totals.held &+= move.held
        meta.totals.consumed &+= move.consumed
        meta.totals.expired &+= move.expired
        meta.totals.available &-= move.held &+ move.consumed &+ move.expired
    }

    // MARK: - Projections

    private mutating func noteReservation(of entry: Entry) {
        switch entry.detail {
        case .opening(let terms, let progress):
            subjects[entry.reservation] = Subject(feature: terms.feature, actor: terms.actor)
            reservations[entry.reservation] = ReservationChange(
                opened: entry.sequence, closed: progress.state == .open ? nil : entry.sequence, last: entry.sequence)
        case .progress:
            reservations[entry.reservation, default: ReservationChange(last: 0)].last = entry.sequence
            if entry.closesReservation { reservations[entry.reservation]!.closed = entry.sequence }
        case .none, .grant, .price, .refusal: break
        }
    }

    private mutating func noteUse(
        of entry: Entry, _ lookUp: (StepID) throws(StorageError) -> Subject
    ) throws(StorageError) {
        let use = entry.use
        guard use.micros != 0 || use.calls != 0 else { return }
        let quarterHour = UsageBucket.quarterHour(of: entry.at)
        usage[quarterHour, default: Use()].add(use)
        let subject = if let known = subjects[entry.reservation] { known } else { try lookUp(entry.reservation) }
        subjects[entry.reservation] = subject
        daily[DailyKey(day: entry.at.day, subject: subject), default: Use()].add(use)
    }
}

extension FlushFold.Use {
    mutating func add(_ other: Self) {
        micros &+= other.micros
        calls &+= other.calls
    }
}

extension Entry {
    /// What the entry adds to the rollups: the credits that it charged, less those it refunded, and one call where it is the first
    /// charge of its reservation.
    var use: FlushFold.Use {
        var use = FlushFold.Use()
        for move in moves { use.micros &+= move.consumed }
        switch (kind, detail) {
        case (.charge, _): use.calls = 1
        case (.commit, .progress(let progress, _)): use.calls = progress.wrappingCommitted == use.micros ? 1 : 0
        case (.partialCommit, .progress(let progress, _)):
            use.calls = use.micros > 0 && progress.wrappingCommitted == use.micros ? 1 : 0
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

extension ReservationProgress {
    /// As `committed`, for numbers that may come from a damaged file and must not stop the process.
    fileprivate var wrappingCommitted: Int64 {
        draws.reduce(refunded) { $0 &+ $1.consumed }
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

import Ledger

/// One walk over a book's entries. Memory holds what the open reservations and the grants need; the rows of everything else
/// are looked up as the entries that made them come by, and counted, so that none can be missing or too many.
struct BookProof: ~Copyable {
    let database: Database
    private(set) var state = LedgerState()
    private var head: ChainHash
    private var rollups: RollupProof
    /// Rows that the entries account for.
    private var reservations: Int64 = 0
    private var closed: Int64 = 0
    private var finished: Int64 = 0
    private var steps: Int64 = 0
    private var prices: Int64 = 0
    private var audited: Int64 = 0
    private var ids = (greatest: StepID.zero, holdsOthers: false)

    /// How often memory lets go of what is closed.
    private let entriesBetweenForgetting: UInt64

    init(database: Database, tenant: TenantID, entriesBetweenForgetting: UInt64) {
        self.database = database
        self.entriesBetweenForgetting = entriesBetweenForgetting
        head = HashChain.origin(of: tenant)
        rollups = RollupProof(database: database)
    }

    mutating func run(against meta: ShardMeta) throws(ProofStop) {
        try walk()
        try rollups.finish()
        try checkMeta(meta)
        try checkGovernance()
        try checkGrants()
        try checkCounts()
        try checkRefusals()
    }

    private mutating func walk() throws(ProofStop) {
        let statement = try lifted { () throws(StorageError) in
            try database.statement("SELECT sequence, body, hash FROM entries ORDER BY sequence")
        }
        var stop: ProofStop?
        try lifted { () throws(StorageError) in
            try statement.rows { (row) throws(StorageError) in
                do throws(ProofStop) {
                    try prove(row)
                    return true
                } catch {
                    stop = error
                    return false
                }
            }
        }
        if let stop { throw stop }
    }

    private mutating func prove(_ row: Row) throws(ProofStop) {
        let sequence = row.unsigned(0)
        guard sequence == state.sequence + 1 else {
            throw .fault(state.sequence + 1, "it is missing; the next one is \(sequence)")
        }
        head = HashChain.link(head, row.blob(1))
        guard ChainHash(row.blob(2)) == head else {
            throw .fault(sequence, "its hash does not follow from the entry before it and its contents")
        }
        let entry: Entry
        do throws(CodecError) {
            entry = try EntryCodec.decode(row.blob(1))
        } catch {
            throw .fault(sequence, "it cannot be read: \(error)")
        }
        guard entry.sequence == sequence else { throw .fault(sequence, "it says that it is entry \(entry.sequence)") }
        try evolve(entry)
        try checkPlaces(of: entry)
        if sequence % entriesBetweenForgetting == 0 { state.forget(flushedThrough: sequence, keep: 0) }
    }

    private mutating func evolve(_ entry: Entry) throws(ProofStop) {
        try recallTerms(of: entry)
        do throws(Contradiction) {
            try state.evolve(verifying: entry)
        } catch {
            throw .fault(entry.sequence, "it contradicts the book before it: \(error)")
        }
        for id in [entry.key?.id, entry.reservation == .zero ? nil : entry.reservation] {
            guard let id else { continue }
            if !id.isTimeOrdered { ids.holdsOthers = true } else { ids.greatest = max(ids.greatest, id) }
        }
    }

    /// Where there are limits, what an entry uses counts for the feature and the actor of its reservation, which memory may
    /// have let go of.
    private mutating func recallTerms(of entry: Entry) throws(ProofStop) {
        guard !state.governance.limits.isEmpty, case .progress(var progress, _) = entry.detail,
            state.reservation(entry.reservation) == nil, let place = try place(of: entry.reservation),
            place.opened < entry.sequence
        else { return }
        let (terms, createdAt) = try opening(of: entry, place)
        // Only closed reservations are let go of. How far this one was goes unproved, as it does where there are no limits.
        if entry.kind == .commit { progress.state = .expired }
        progress.draws = []
        let reservation = Reservation(id: entry.reservation, createdAt: createdAt, terms: terms, progress: progress)
        state.adopt(Recalled(reservation: reservation), for: Recall(reservation: entry.reservation))
    }

    // MARK: - Rows that belong to an entry

    private mutating func checkPlaces(of entry: Entry) throws(ProofStop) {
        if let key = entry.key, !entry.isKeyedByReservation {
            try checkStep(key, entry.sequence)
            steps += 1
        }
        if case .price(let version, _) = entry.detail {
            let found = try integer("SELECT sequence FROM prices WHERE version = ?") { $0.integer(Int64(version)) }
            guard found == Int64(bitPattern: entry.sequence) else {
                throw .fault(entry.sequence, "the table of prices names another entry for version \(version)")
            }
            prices += 1
        }
        if entry.audit != nil {
            let found = try integer("SELECT at FROM audit WHERE sequence = ?") { $0.integer(entry.sequence) }
            guard found == entry.at.microseconds else {
                throw .fault(entry.sequence, "the audit trail lacks it, or dates it otherwise")
            }
            audited += 1
        }
        guard entry.reservation != .zero else { return }
        try checkReservation(entry)
    }

    private func checkStep(_ key: StepKey, _ sequence: UInt64) throws(ProofStop) {
        let found = try integer("SELECT sequence FROM steps WHERE family = ? AND id = ?") { values in
            values.integer(Int64(key.family.rawValue))
            values.id(key.id)
        }
        guard found == Int64(bitPattern: sequence) else {
            throw .fault(sequence, "the table of steps does not lead to it")
        }
    }

    private mutating func checkReservation(_ entry: Entry) throws(ProofStop) {
        guard let place = try place(of: entry.reservation), place.last >= entry.sequence else {
            throw .fault(entry.sequence, "the table of reservations lacks it")
        }
        if case .opening = entry.detail {
            guard place.opened == entry.sequence else {
                throw .fault(entry.sequence, "the table of reservations says that entry \(place.opened) began it")
            }
            reservations += 1
        } else if place.opened >= entry.sequence {
            throw .fault(entry.sequence, "the table of reservations says that its reservation began later")
        }
        if entry.closesReservation {
            guard let end = place.closed, end >= entry.sequence else {
                throw .fault(entry.sequence, "the table of reservations says that its reservation is open")
            }
            if end == entry.sequence { closed += 1 }
        }
        if place.last == entry.sequence { finished += 1 }
        if entry.use != UseFold.Use() { try rollups.add(entry, subject: try subject(of: entry, place)) }
    }

    private func subject(
        of entry: Entry, _ place: Shard.ReservationPlace
    ) throws(ProofStop) -> UseFold.Subject {
        if let terms = state.reservation(entry.reservation)?.terms {
            return UseFold.Subject(feature: terms.feature, actor: terms.actor)
        }
        let (terms, _) = try opening(of: entry, place)
        return UseFold.Subject(feature: terms.feature, actor: terms.actor)
    }

    private func place(of reservation: StepID) throws(ProofStop) -> Shard.ReservationPlace? {
        try lifted { () throws(StorageError) in
            try database.statement("SELECT opened, closed, last FROM reservations WHERE id = ?")
                .first({ $0.id(reservation) }) { Shard.ReservationPlace($0, from: 0) }
        }
    }

    /// How the reservation began that an entry goes on with.
    private func opening(
        of entry: Entry, _ place: Shard.ReservationPlace
    ) throws(ProofStop) -> (terms: ReservationTerms, at: Instant) {
        let opening = try lifted { () throws(StorageError) in
            try database.statement("SELECT body FROM entries WHERE sequence = ?").first({ $0.integer(place.opened) }) {
                (row) throws(StorageError) in
                // It was walked over already: a body that cannot be read has been found by now.
                try? EntryCodec.decode(row.blob(0))
            }
        }
        guard let opening = opening ?? nil, case .opening(let terms, _) = opening.detail,
            opening.reservation == entry.reservation
        else { throw .fault(entry.sequence, "entry \(place.opened) does not begin its reservation") }
        return (terms, opening.at)
    }

    // MARK: - The whole book

    private func checkMeta(_ meta: ShardMeta) throws(ProofStop) {
        guard meta.sequence == state.sequence else {
            throw .fault(nil, "the meta row ends with entry \(meta.sequence), the entries with \(state.sequence)")
        }
        guard meta.head == head, meta.at == state.lastAt else {
            throw .fault(nil, "the meta row does not name the last entry's hash and date")
        }
        guard meta.totals == state.totals, meta.overage == state.overage else {
            throw .fault(nil, "the meta row's totals are not what the entries add up to")
        }
        // Refusals that were pruned may have had greater or other ids.
        guard meta.newestID >= ids.greatest, meta.holdsOtherIDs || !ids.holdsOthers else {
            throw .fault(nil, "the meta row does not cover all ids")
        }
    }

    /// Byte for byte, as it is stored.
    private func checkGovernance() throws(ProofStop) {
        let stored = try lifted { () throws(StorageError) in
            try database.statement("SELECT body FROM governance WHERE id = 1").first {
                (row) throws(StorageError) in Array(row.blob(0))
            }
        }
        guard stored == state.governance.stored else {
            throw .fault(nil, "what governs the book is not what the entries say")
        }
    }

    private func checkGrants() throws(ProofStop) {
        var stored: [Grant?] = []
        try lifted { () throws(StorageError) in
            try database.statement(Grant.selectAll).rows { (row) throws(StorageError) in
                stored.append(Grant(row))
                return true
            }
        }
        for (index, grant) in state.grants.enumerated() where index >= stored.count || stored[index] != grant {
            throw .fault(nil, "grant \(grant.number) is not what the entries say")
        }
        guard stored.count == state.grants.count else { throw .fault(nil, "there are grants that no entry made") }
    }

    private func checkCounts() throws(ProofStop) {
        let expected: [(String, Int64)] = [
            ("reservations", reservations), ("reservations WHERE closed IS NOT NULL", closed),
            ("reservations WHERE closed IS NULL", reservations - closed), ("steps", steps), ("prices", prices),
            ("audit", audited),
        ]
        for (rows, count) in expected {
            let found = try integer("SELECT count(*) FROM \(rows)") { _ in }
            guard found == count else { throw .fault(nil, "\(found ?? 0) rows of \(rows), the entries make \(count)") }
        }
        guard finished == reservations else {
            throw .fault(nil, "the table of reservations names last entries that are not theirs")
        }
    }

    private func checkRefusals() throws(ProofStop) {
        try lifted { () throws(StorageError) in
            try database.statement("SELECT family, id, at, body FROM refusals").rows { (row) throws(StorageError) in
                let entry = try? EntryCodec.decode(row.blob(3))
                guard let entry, let key = entry.key, entry.kind == .refusal, key.id == row.id(1),
                    Int64(key.family.rawValue) == row.integer(0), entry.at.microseconds == row.integer(2)
                else { throw .corrupt(database, "a refusal is not what its row says") }
                return true
            }
        }
    }

    private func integer(_ sql: String, _ bind: (inout Bindings) -> Void) throws(ProofStop) -> Int64? {
        try lifted { () throws(StorageError) in
            try database.statement(sql).first(bind) { (row) throws(StorageError) in row.integer(0) }
        }
    }
}

extension ProofStop {
    static func fault(_ entry: UInt64?, _ reason: String) -> ProofStop {
        .fault(BookFault(entry: entry, reason: reason))
    }
}

/// What storage throws, as a reason for a proof to stop.
func lifted<Result>(_ body: () throws(StorageError) -> Result) throws(ProofStop) -> Result {
    do throws(StorageError) {
        return try body()
    } catch {
        throw .storage(error)
    }
}

import Ledger

extension Shard {
    // MARK: - Entries

    /// One entry and its hash.
    func storedEntry(_ sequence: UInt64) throws(StorageError) -> (entry: Entry, hash: ChainHash)? {
        try database.statement("SELECT body, hash FROM entries WHERE sequence = ?").first({ $0.integer(sequence) }) {
            (row) throws(StorageError) in
            guard let hash = ChainHash(row.blob(1)) else {
                throw .corrupt(database, "the hash of entry \(sequence) is damaged")
            }
            return (try decode(row.blob(0), sequence), hash)
        }
    }

    func entry(_ sequence: UInt64) throws(StorageError) -> Entry {
        guard let stored = try storedEntry(sequence) else {
            throw .corrupt(database, "entry \(sequence) is missing")
        }
        return stored.entry
    }

    func decode(_ body: UnsafeRawBufferPointer, _ sequence: UInt64) throws(StorageError) -> Entry {
        let entry: Entry
        do throws(CodecError) {
            entry = try EntryCodec.decode(body)
        } catch {
            throw .corrupt(database, "entry \(sequence) cannot be read: \(error)")
        }
        guard entry.sequence == sequence else {
            throw .corrupt(database, "entry \(sequence) says that it is entry \(entry.sequence)")
        }
        return entry
    }

    // MARK: - Reservations

    /// The entries that a reservation is rebuilt from.
    struct ReservationPlace {
        let opened: UInt64
        let closed: UInt64?
        let last: UInt64

        init(_ row: Row, from column: Int32) {
            opened = row.unsigned(column)
            closed = row.optionalInteger(column + 1).map { UInt64(bitPattern: $0) }
            last = row.optionalInteger(column + 2).map { UInt64(bitPattern: $0) } ?? closed ?? opened
        }
    }

    func place(of reservation: StepID) throws(StorageError) -> ReservationPlace? {
        try database.statement("SELECT opened, closed, last FROM reservations WHERE id = ?")
            .first({ $0.id(reservation) }) { (row) throws(StorageError) in ReservationPlace(row, from: 0) }
    }

    /// The entry that began a reservation; nil where there is no such reservation.
    func opening(of reservation: StepID) throws(StorageError) -> Entry? {
        guard let place = try place(of: reservation) else { return nil }
        let entry = try entry(place.opened)
        guard entry.reservation == reservation, case .opening = entry.detail else {
            throw .corrupt(database, "entry \(place.opened) does not begin reservation \(reservation)")
        }
        return entry
    }

    func reservation(_ id: StepID) throws(StorageError) -> Reservation? {
        guard let place = try place(of: id) else { return nil }
        return try reservation(id, at: place)
    }

    func reservation(_ id: StepID, at place: ReservationPlace) throws(StorageError) -> Reservation {
        let opening = try entry(place.opened)
        let last = place.last == place.opened ? opening : try entry(place.last)
        guard opening.reservation == id, last.reservation == id, case .opening(let terms, let first) = opening.detail
        else { throw .corrupt(database, "entries \(place.opened) and \(place.last) are not of reservation \(id)") }
        var progress = first
        if place.last != place.opened {
            guard case .progress(let latest, _) = last.detail else {
                throw .corrupt(database, "entry \(place.last) is no step of reservation \(id)")
            }
            progress = latest
        }
        return Reservation(id: id, createdAt: opening.at, terms: terms, progress: progress)
    }

    // MARK: - Steps

    func recall(_ recall: Recall) throws(StorageError) -> Recalled {
        var recalled = Recalled()
        if let key = recall.step { recalled.step = try step(key) }
        if let id = recall.reservation { recalled.reservation = try reservation(id) }
        return recalled
    }

    /// What is remembered under a key: a success first, as a step that was refused may have been tried again.
    private func step(_ key: StepKey) throws(StorageError) -> RecordedStep? {
        if let sequence = try sequence(of: key) {
            let entry = try entry(sequence)
            if entry.key == key {
                let opening = entry.reservation == .zero ? nil : try opening(of: entry.reservation)
                guard let step = RecordedStep.recorded(for: entry, opening: opening) else {
                    throw .corrupt(database, "entry \(sequence) is not the step that its key says")
                }
                return step
            }
        }
        return try refusedStep(key)
    }

    private func sequence(of key: StepKey) throws(StorageError) -> UInt64? {
        let own = try database.statement("SELECT sequence FROM steps WHERE family = ? AND id = ?").first({ values in
            values.integer(Int64(key.family.rawValue))
            values.id(key.id)
        }) { (row) throws(StorageError) in row.unsigned(0) }
        if let own { return own }
        return switch key.family {
        case .opening: try place(of: key.id)?.opened
        case .commit, .release: try place(of: key.id)?.closed
        case .grant, .anonymousPartial, .refund, .extend, .grantRevocation, .subscription, .note: nil
        }
    }

    private func refusedStep(_ key: StepKey) throws(StorageError) -> RecordedStep? {
        try database.statement("SELECT body FROM refusals WHERE family = ? AND id = ?").first({ values in
            values.integer(Int64(key.family.rawValue))
            values.id(key.id)
        }) { (row) throws(StorageError) in
            let entry = try decode(row.blob(0), 0)
            guard entry.key == key, let step = RecordedStep.recorded(for: entry, opening: nil) else {
                throw .corrupt(database, "a refusal is not the one that its key says")
            }
            return step
        }
    }

    // MARK: - The book

    func load() throws(StorageError) -> LoadedBook {
        let snapshot = BookSnapshot(
            sequence: meta.sequence, at: meta.at, totals: meta.totals, grants: try grants(),
            overage: meta.overage, governance: meta.governance, openReservations: try openReservations(),
            prices: try prices(), usage: try usage(), newestTimeOrderedID: meta.newestID,
            holdsOtherIDs: meta.holdsOtherIDs)
        do throws(Contradiction) {
            try snapshot.check()
        } catch {
            throw .corrupt(database, "the book contradicts itself: \(error)")
        }
        return LoadedBook(snapshot: snapshot, position: meta.position)
    }

    func grants() throws(StorageError) -> [Grant] {
        var grants: [Grant] = []
        try database.statement(Grant.selectAll).rows { (row) throws(StorageError) in
            guard let grant = Grant(row) else {
                throw .corrupt(database, "grant \(row.integer(0)) is damaged")
            }
            grants.append(grant)
            return true
        }
        return grants
    }

    private func openReservations() throws(StorageError) -> [Reservation] {
        var places: [(StepID, ReservationPlace)] = []
        let sql = "SELECT id, opened, closed, last FROM reservations INDEXED BY open_reservations WHERE closed IS NULL"
        try database.statement(sql).rows { (row) throws(StorageError) in
            guard let id = row.id(0) else { throw .corrupt(database, "a reservation's id is damaged") }
            places.append((id, ReservationPlace(row, from: 1)))
            return true
        }
        var reservations: [Reservation] = []
        reservations.reserveCapacity(places.count)
        for (id, place) in places { reservations.append(try reservation(id, at: place)) }
        return reservations
    }

    private func prices() throws(StorageError) -> [VersionedPrice] {
        var sequences: [(UInt32, UInt64)] = []
        try database.statement("SELECT version, sequence FROM prices ORDER BY version").rows {
            (row) throws(StorageError) in
            sequences.append((UInt32(truncatingIfNeeded: row.integer(0)), row.unsigned(1)))
            return true
        }
        var prices: [VersionedPrice] = []
        for (version, sequence) in sequences {
            guard case .price(version, let price) = try entry(sequence).detail else {
                throw .corrupt(database, "entry \(sequence) does not set price \(version)")
            }
            prices.append(VersionedPrice(version: version, price: price))
        }
        return prices
    }

    private func usage() throws(StorageError) -> [UsageBucket] {
        let oldest = UsageBucket.quarterHour(of: meta.at.advanced(microseconds: -StorageLimits.loadedUsageMicroseconds))
        var buckets: [UsageBucket] = []
        try database.statement("SELECT quarter_hour, micros FROM usage WHERE quarter_hour >= ? ORDER BY quarter_hour")
            .rows({ $0.integer(oldest) }) { (row) throws(StorageError) in
                buckets.append(UsageBucket(quarterHour: row.integer(0), consumed: row.integer(1)))
                return true
            }
        return buckets
    }
}

extension Grant {
    static let selectAll = """
        SELECT number, id, kind, created_at, expires_at, comment, amount, available, held, consumed, expired, refunded,
            origin, revoked_at, paid
        FROM grants ORDER BY number
        """

    /// Nil where the row cannot be a grant's.
    init?(_ row: Row) {
        guard let number = UInt32(exactly: row.integer(0)), let id = row.id(1),
            let kind = UInt8(exactly: row.integer(2)).flatMap(GrantKind.init(rawValue:)),
            let origin = UInt8(exactly: row.integer(12)).flatMap(GrantOrigin.init(rawValue:))
        else { return nil }
        self.init(
            number: number, id: id, kind: kind, createdAt: Instant(microseconds: row.integer(3)),
            expiresAt: row.optionalInteger(4).map { Instant(microseconds: $0) }, comment: row.text(5),
            amount: row.integer(6), origin: origin)
        revokedAt = row.optionalInteger(13).map { Instant(microseconds: $0) }
        available = row.integer(7)
        held = row.integer(8)
        consumed = row.integer(9)
        expired = row.integer(10)
        paid = row.integer(14)
        refunded = row.integer(11)
    }
}

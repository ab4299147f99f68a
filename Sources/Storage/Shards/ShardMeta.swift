import Ledger

/// Where a shard's book stands: one row, and, in a row of its own because it seldom changes, what governs the book.
struct ShardMeta: Equatable {
    /// The last journal record that the shard holds.
    var position: UInt64
    /// The last entry.
    var sequence: UInt64
    /// The hash of the last entry.
    var head: ChainHash
    /// The date of the last entry.
    var at: Instant
    var totals: BookTotals
    var overage: Overage
    /// The greatest time-ordered id of all steps, refused ones among them, and reservations.
    var newestID: StepID
    /// Some step or reservation has an id that is not time-ordered.
    var holdsOtherIDs: Bool
    /// What open reservations hold against limits follows from them and is never told here.
    var governance = Governance()

    /// An empty book.
    init(origin: ChainHash) {
        position = 0
        sequence = 0
        head = origin
        at = .zero
        totals = BookTotals()
        overage = Overage()
        newestID = .zero
        holdsOtherIDs = false
    }

    private static let columns = """
        position, sequence, head, at, granted, available, held, consumed, expired, overage_held, overage_consumed,
        overage_paid, newest_id, holds_other_ids
        """

    /// Reads it; nil where there is none, as in a shard that was made and never written to.
    static func read(from database: Database, tenant: TenantID) throws(StorageError) -> ShardMeta? {
        do throws(StorageError) {
            return try readRow(from: database, tenant: tenant)
        } catch {
            // Another format may lack what is asked for here: that says more than SQLite does.
            let found = try? database.statement("SELECT format FROM meta WHERE id = 1").first { $0.integer(0) }
            if let format = found ?? nil, format != ShardSchema.format { throw .unknownFormat(format, database) }
            throw error
        }
    }

    /// With one statement, as shards are opened by the thousand.
    private static func readRow(from database: Database, tenant: TenantID) throws(StorageError) -> ShardMeta? {
        let sql = """
            SELECT \(columns), format, tenant, (SELECT body FROM governance WHERE id = 1) FROM meta WHERE id = 1
            """
        return try database.statement(sql).first { (row) throws(StorageError) in
            guard row.integer(14) == ShardSchema.format else { throw .unknownFormat(row.integer(14), database) }
            guard row.text(15) == tenant.description else {
                throw .misplaced(path: database.path, reason: "it is the book of another tenant")
            }
            guard var meta = ShardMeta(row) else { throw .corrupt(database, "its meta row is damaged") }
            if !row.isNull(16) {
                do throws(CodecError) {
                    meta.governance = try EntryCodec.decodeGovernance(row.blob(16))
                } catch {
                    throw .corrupt(database, "what governs the book cannot be read: \(error)")
                }
            }
            return meta
        }
    }

    private init?(_ row: Row) {
        guard let head = ChainHash(row.blob(2)), let newest = row.id(12) else { return nil }
        position = row.unsigned(0)
        sequence = row.unsigned(1)
        self.head = head
        at = Instant(microseconds: row.integer(3))
        overage = Overage(held: row.integer(9), consumed: row.integer(10), paid: row.integer(11))
        totals = BookTotals(
            granted: row.integer(4), available: row.integer(5), held: row.integer(6), consumed: row.integer(7),
            expired: row.integer(8), overage: overage.held &+ overage.consumed &- overage.paid)
        newestID = newest
        holdsOtherIDs = row.integer(13) != 0
    }

    /// Writes the row, without what governs the book.
    func write(to database: Database, tenant: TenantID) throws(StorageError) {
        let sql = """
            INSERT OR REPLACE INTO meta (id, \(Self.columns), format, tenant)
            VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        try database.statement(sql).run { values in
            values.integer(position)
            values.integer(sequence)
            head.withBytes { values.blob($0) }
            values.integer(at.microseconds)
            values.integer(totals.granted)
            values.integer(totals.available)
            values.integer(totals.held)
            values.integer(totals.consumed)
            values.integer(totals.expired)
            values.integer(overage.held)
            values.integer(overage.consumed)
            values.integer(overage.paid)
            values.id(newestID)
            values.integer(holdsOtherIDs ? 1 as Int64 : 0)
            values.integer(ShardSchema.format)
            values.text(tenant.description)
        }
    }

    /// Writes what governs the book; a plain book has no such row.
    func writeGovernance(to database: Database) throws(StorageError) {
        guard let bytes = governance.stored else {
            return try database.statement("DELETE FROM governance").run()
        }
        try database.statement("INSERT OR REPLACE INTO governance (id, body) VALUES (1, ?)").run { values in
            bytes.withUnsafeBytes { values.blob($0) }
        }
    }
}

extension Governance {
    /// As a shard keeps it; nil where it keeps nothing.
    var stored: [UInt8]? {
        if isPlain { return nil }
        var bytes: [UInt8] = []
        EntryCodec.encode(self, into: &bytes)
        return bytes
    }
}

extension StorageError {
    static func corrupt(_ database: Database, _ reason: String) -> StorageError {
        .corrupt(path: database.path, reason: reason)
    }

    fileprivate static func unknownFormat(_ format: Int64, _ database: Database) -> StorageError {
        .misplaced(path: database.path, reason: "its format is \(format), which this build does not know")
    }
}

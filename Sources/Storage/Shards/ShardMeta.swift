import Ledger

/// The one row of a shard that says where its book stands.
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
    /// The greatest time-ordered id of all steps, refused ones among them, and reservations.
    var newestID: StepID
    /// Some step or reservation has an id that is not time-ordered.
    var holdsOtherIDs: Bool

    /// An empty book.
    init(origin: ChainHash) {
        position = 0
        sequence = 0
        head = origin
        at = .zero
        totals = BookTotals()
        newestID = .zero
        holdsOtherIDs = false
    }

    private static let columns = """
        position, sequence, head, at, granted, available, held, consumed, expired, newest_id, holds_other_ids
        """

    /// Reads the row; nil where there is none, as in a shard that was made and never written to.
    static func read(from database: Database, tenant: TenantID) throws(StorageError) -> ShardMeta? {
        let path = database.path
        return try database.statement("SELECT \(columns), format, tenant FROM meta WHERE id = 1").first {
            (row) throws(StorageError) in
            guard row.integer(11) == ShardSchema.format else {
                throw .corrupt(path: path, reason: "its format is \(row.integer(11)), which this build does not know")
            }
            guard row.text(12) == tenant.description else {
                throw .corrupt(path: path, reason: "it is the book of another tenant")
            }
            guard let meta = ShardMeta(row) else { throw .corrupt(path: path, reason: "its meta row is damaged") }
            return meta
        }
    }

    private init?(_ row: Row) {
        guard let head = ChainHash(row.blob(2)), let newest = row.id(9) else { return nil }
        position = row.unsigned(0)
        sequence = row.unsigned(1)
        self.head = head
        at = Instant(microseconds: row.integer(3))
        totals = BookTotals(
            granted: row.integer(4), available: row.integer(5), held: row.integer(6), consumed: row.integer(7),
            expired: row.integer(8))
        newestID = newest
        holdsOtherIDs = row.integer(10) != 0
    }

    func write(to database: Database, tenant: TenantID) throws(StorageError) {
        let sql = """
            INSERT OR REPLACE INTO meta (id, \(Self.columns), format, tenant)
            VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
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
            values.id(newestID)
            values.integer(holdsOtherIDs ? 1 as Int64 : 0)
            values.integer(ShardSchema.format)
            values.text(tenant.description)
        }
    }
}

extension StorageError {
    static func corrupt(_ database: Database, _ reason: String) -> StorageError {
        .corrupt(path: database.path, reason: reason)
    }
}

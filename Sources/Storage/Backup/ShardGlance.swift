import Ledger

/// Looks into a tenant's shard beside the server that writes it. Each look opens the file for a short moment: as long as it
/// is open the server cannot have it for itself, which it wants where very many shards take turns.
struct ShardGlance {
    let path: String
    let tenant: TenantID
    let fileSystem: any FileSystem

    /// Entries that follow each other, and where the book stood when they were read.
    struct Part {
        let meta: ShardMeta
        var entries = FramePayload()
        /// The hash of the last of them.
        var head: ChainHash
        /// The number of the last of them.
        var sequence: UInt64

        var isLast: Bool { sequence >= meta.sequence }
    }

    struct Refusals {
        var payload = FramePayload()
        var newest = Instant.zero
        /// Where to go on; nil where there are no more.
        var next: Place?

        struct Place {
            let at: Int64
            let family: Int64
            let id: StepID
        }
    }

    private func look<Result>(_ body: (Database) throws(StorageError) -> Result) throws(StorageError) -> Result {
        let database = try Database(path: path, .readOnly, setup: ShardSchema.readOnlySetup, vfs: fileSystem.sqliteVFS)
        defer { database.close() }
        return try database.transaction("BEGIN") { () throws(StorageError) in try body(database) }
    }

    /// The next entries after one whose hash is known, each proven by its own; nil where the shard has no book.
    ///
    /// A book that ends before, and so may or may not be a later one, has none. One that went another way is a conflict.
    func entries(after sequence: UInt64, head: ChainHash) throws(StorageError) -> Part? {
        try look { (database) throws(StorageError) in
            guard let meta = try ShardMeta.read(from: database, tenant: tenant) else { return nil }
            var part = Part(meta: meta, head: head, sequence: sequence)
            if meta.sequence < sequence { return part }
            try check(sequence, head, database)
            let sql = "SELECT sequence, body, hash FROM entries WHERE sequence > ? ORDER BY sequence LIMIT ?"
            try database.statement(sql).rows { values in
                values.integer(sequence)
                values.integer(Int64(StorageLimits.backupReadRows))
            } _: { (row) throws(StorageError) in
                guard row.unsigned(0) == part.sequence + 1 else {
                    throw .corrupt(database, "entry \(part.sequence + 1) is missing")
                }
                part.sequence += 1
                part.head = HashChain.link(part.head, row.blob(1))
                guard ChainHash(row.blob(2)) == part.head else {
                    throw .corrupt(
                        database, "the hash of entry \(part.sequence) does not follow from the entry before it")
                }
                part.entries.add(row.blob(1))
                return part.entries.bytes.count < StorageLimits.backupFrameBytes
            }
            guard part.sequence > sequence || meta.sequence == sequence else {
                throw .corrupt(database, "entry \(sequence + 1) is missing")
            }
            if part.sequence == meta.sequence, part.head != meta.head {
                throw .corrupt(database, "its meta row does not name the last entry's hash")
            }
            return part
        }
    }

    private func check(_ sequence: UInt64, _ head: ChainHash, _ database: Database) throws(StorageError) {
        if sequence == 0 { return }
        let found = try database.statement("SELECT hash FROM entries WHERE sequence = ?").first({
            $0.integer(sequence)
        }) { (row) throws(StorageError) in ChainHash(row.blob(0)) }
        guard let found, let found else {
            throw .corrupt(database, "entry \(sequence) is missing, or its hash damaged")
        }
        guard found == head else { throw .forked(tenant, "entry \(sequence) is another one there") }
    }

    /// Refusals from a date on, or from where the last look ended.
    func refusals(since instant: Instant, from place: Refusals.Place?) throws(StorageError) -> Refusals {
        try look { (database) throws(StorageError) in
            var found = Refusals()
            var last: Refusals.Place?
            let sql = """
                SELECT at, family, id, body FROM refusals
                WHERE at >= ?1 AND (?2 IS NULL OR (at, family, id) > (?2, ?3, ?4)) ORDER BY at, family, id LIMIT ?5
                """
            try database.statement(sql).rows { values in
                values.integer(max(instant.microseconds, place?.at ?? .min))
                values.integer(place?.at)
                values.integer(place?.family)
                values.id(place?.id ?? .zero)
                values.integer(Int64(StorageLimits.backupReadRows))
            } _: { (row) throws(StorageError) in
                guard let id = row.id(2) else { throw .corrupt(database, "the id of a refusal is damaged") }
                last = Refusals.Place(at: row.integer(0), family: row.integer(1), id: id)
                found.newest = Instant(microseconds: row.integer(0))
                found.payload.add(row.blob(3))
                return found.payload.bytes.count < StorageLimits.backupFrameBytes
            }
            found.next = last
            return found
        }
    }
}

extension StorageError {
    /// A book and its copy have no common history.
    static func forked(_ tenant: TenantID, _ how: String) -> StorageError {
        .conflict(
            "the book of tenant \(tenant) does not continue its copy: \(how). The server's data was restored to an earlier "
                + "moment, or is another server's; keep this copy, and go on with --new-generation or in another directory"
        )
    }
}

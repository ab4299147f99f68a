import Ledger

/// The tables of a shard. `entries` is the truth; everything else is a projection that could be made from it again.
///
/// The closed and the last entry of a reservation are enough to rebuild it: terms stand in its opening entry, and every later
/// one carries its progress whole. Keys of steps that go by their reservation's id are found through `reservations`; only the
/// others need a row in `steps`. What governs the book is one row, absent while nothing was ever set; `audit` leads to the
/// entries with a note. Times are microseconds since 1970 (UTC), amounts are micros, ids 16 bytes.
enum ShardSchema {
    static let format: Int64 = 3

    static let create = """
        CREATE TABLE meta (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            format INTEGER NOT NULL,
            tenant TEXT NOT NULL,
            position INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            head BLOB NOT NULL,
            at INTEGER NOT NULL,
            granted INTEGER NOT NULL,
            available INTEGER NOT NULL,
            held INTEGER NOT NULL,
            consumed INTEGER NOT NULL,
            expired INTEGER NOT NULL,
            overage_held INTEGER NOT NULL,
            overage_consumed INTEGER NOT NULL,
            overage_paid INTEGER NOT NULL,
            newest_id BLOB NOT NULL,
            holds_other_ids INTEGER NOT NULL
        );
        CREATE TABLE governance (id INTEGER PRIMARY KEY CHECK (id = 1), body BLOB NOT NULL);
        CREATE TABLE entries (sequence INTEGER PRIMARY KEY, body BLOB NOT NULL, hash BLOB NOT NULL);
        CREATE TABLE audit (sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL);
        CREATE TABLE grants (
            number INTEGER PRIMARY KEY,
            id BLOB NOT NULL,
            kind INTEGER NOT NULL,
            origin INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            expires_at INTEGER,
            revoked_at INTEGER,
            comment TEXT NOT NULL,
            amount INTEGER NOT NULL,
            available INTEGER NOT NULL,
            held INTEGER NOT NULL,
            consumed INTEGER NOT NULL,
            expired INTEGER NOT NULL,
            paid INTEGER NOT NULL,
            refunded INTEGER NOT NULL
        );
        CREATE TABLE reservations (
            id BLOB PRIMARY KEY,
            opened INTEGER NOT NULL,
            closed INTEGER,
            last INTEGER
        ) WITHOUT ROWID;
        CREATE INDEX open_reservations ON reservations (id) WHERE closed IS NULL;
        CREATE TABLE steps (
            family INTEGER NOT NULL, id BLOB NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (family, id)
        ) WITHOUT ROWID;
        CREATE TABLE prices (version INTEGER PRIMARY KEY, sequence INTEGER NOT NULL);
        CREATE TABLE usage (quarter_hour INTEGER PRIMARY KEY, micros INTEGER NOT NULL, calls INTEGER NOT NULL);
        CREATE TABLE uses (
            quarter_hour INTEGER NOT NULL, feature TEXT NOT NULL, actor TEXT NOT NULL, micros INTEGER NOT NULL,
            calls INTEGER NOT NULL, PRIMARY KEY (quarter_hour, feature, actor)
        ) WITHOUT ROWID;
        CREATE TABLE refusals (
            family INTEGER NOT NULL, id BLOB NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (family, id)
        ) WITHOUT ROWID;
        CREATE INDEX refusals_at ON refusals (at);
        """

    /// What every connection that writes begins with; page size and WAL are the file's own, from the template. The log is
    /// synced by `ShardStore.makeDurable` and moved into the file when it has grown, never in the middle of a commit.
    static func setup(pageCacheKiB: Int = StorageLimits.pageCacheKiB) -> String {
        "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -\(pageCacheKiB)"
    }

    /// As `setup`, for a connection that is opened for one use: without the memory that it would share with others, it opens
    /// and closes in half the time.
    static func briefSetup(pageCacheKiB: Int = StorageLimits.pageCacheKiB) -> String {
        "PRAGMA locking_mode = EXCLUSIVE; " + setup(pageCacheKiB: pageCacheKiB)
    }

    static let readOnlySetup = "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;"
}

extension Bindings {
    mutating func id(_ id: StepID) {
        withUnsafeBytes(of: (id.high.bigEndian, id.low.bigEndian)) { blob($0) }
    }
}

extension Row {
    /// Nil where the column does not have 16 bytes.
    func id(_ column: Int32) -> StepID? {
        let bytes = blob(column)
        guard bytes.count == 16 else { return nil }
        return StepID(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }
}

extension ShardSchema {
    /// The bytes of a shard without a book. Copying them makes a shard in a hundredth of the time that its statements take.
    static let template = Result { () throws(StorageError) -> [UInt8] in
        let database = try Database(path: ":memory:", .create, setup: "PRAGMA page_size = 4096")
        defer { database.close() }
        try database.execute(create)
        var image = try database.image()
        // File format, section 1.3.1 "The Database Header": both versions are 2 in a file with a write-ahead log.
        image[18] = 2
        image[19] = 2
        return CheckedVFS.stamped(image)
    }
}

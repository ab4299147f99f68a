/// Bounds of this module, in one place.
package enum StorageLimits {
    // MARK: Journal

    /// Positions of records, and epochs of segments: what a counter that begins at 1 never gets beyond.
    static let positions: ClosedRange<UInt64> = 1...UInt64.max >> 1

    /// Bytes of one segment file.
    package static let segmentBytes: Int64 = 64 << 20
    /// Bytes of the first segment of a new journal, which is filled while the server starts.
    static let firstSegmentBytes: Int64 = 8 << 20
    /// Bytes of records that one batch may hold; a batch larger than a segment gets a segment of its own size.
    package static let maxBatchBytes = 256 << 20
    /// Bytes of zeros written and synced in one go while a spare segment is prepared, so that the syncs of appends between do not wait for a whole segment.
    static let preparationChunkBytes = 256 << 10
    /// Bytes of the memory from which the journal is written, at most so many in one go.
    static let directBytes = 1 << 20

    /// Bytes of the pieces in which a tenant's records wait for its shard; in between half of what waits already.
    static let leastRunPieceBytes = 992
    static let mostRunPieceBytes = 256 << 10

    // MARK: Shards

    /// Shards that stay open.
    package static let maxOpenShards = 1_024
    /// Records of one flush from which on it is worth to close another shard for it.
    static let muchRecords = 256
    /// Shards up to which each is synced by itself; more are synced with all that the disk has.
    static let singleSyncs = 64
    /// Records, and SQLite's operations, after which a flush ends a turn: some 0.2 ms. See `ShortTurns`.
    static let recordsPerTurn = 256
    static let operationsPerTurn: Int32 = 4_000
    /// Rows of one table from which on they are written with one statement for many, which takes longer to prepare, and how many
    /// it writes at once.
    static let manyRows = 32
    static let rowsAtOnce = 256
    /// Bytes of a shard's write-ahead log above which it is moved into the file; see `ShardBounds`.
    package static let checkpointBytes: Int64 = 4 << 20
    /// Bytes of a log or a database that are synced in one go: what is written goes to the disk in pieces, so that no sync of the
    /// journal stands behind megabytes.
    package static let syncedPieceBytes = 256 << 10
    /// Bytes of a log that are read and written once more in one go.
    static let rewrittenChunkBytes = 1 << 20
    /// Page cache of one handle, KiB.
    package static let pageCacheKiB = 512
    /// How long a handle waits for a lock that another process (a backup, sqlite3) holds, milliseconds.
    static let busyTimeoutMs: Int32 = 5_000
    /// Open reservations whose feature and actor a handle remembers, so that their end needs no look-up.
    static let rememberedOpenings = 8_192
    /// How long a refusal is kept, microseconds: longer than the ledger promises.
    static let refusalRetentionMicroseconds: Int64 = 48 * 3600 * 1_000_000
    /// How far back the usage reaches that a loaded book carries, microseconds.
    static let loadedUsageMicroseconds: Int64 = 62 * 24 * 3600 * 1_000_000
    /// Rows of one page of a report.
    package static let maxPageRows = 1_000
    /// Bytes of a page above which it ends, so that it fits what clients take by default (4 MiB).
    static let pageBytes = 2 << 20
    /// Rows that a report with filters looks at before it hands back what it found and where to go on.
    static let maxScannedRows = 20_000

    /// Shards nobody uses that are closed where the process has no descriptor left for another one.
    static let closedForRoom = 16
    /// Descriptors that are kept for the disk: a segment of the journal, and shards, which take three each.
    static let reservedDescriptors = 8

    // MARK: Directory

    /// Tenants; all of them are held in memory.
    package static let maxTenants = 1_000_000
    /// API keys, revoked ones included; all of them are held in memory.
    package static let maxKeys = 2_000_000
    /// Members of one tenant.
    package static let maxMembersPerTenant = 100_000
    /// Members of all tenants; all of them are held in memory.
    package static let maxMembers = 2_000_000
    /// Notes that wait for their books to take them; with more no change that owes one is made.
    static let maxOwedNotes = 100_000
    /// Notes that are read in one go.
    package static let maxOutboxPage = 1_000
    /// Bytes of one note.
    static let maxNoteBytes = 64 << 10
    /// Catalogs that are kept, the one in force among them; all of them are held in memory.
    static let maxCatalogs = 1_000
    /// Bytes of the catalogs that are kept.
    static let maxCatalogHistoryBytes = 256 << 20
    /// Bytes of one catalog.
    static let maxCatalogBytes = 4 << 20
    /// Bytes of a name that a person gives.
    package static let maxNameBytes = 256

    // MARK: Backup

    /// Bytes from which on a frame of a backup is written.
    static let backupFrameBytes = 256 << 10
    /// Bytes that one may have: an entry is never parted.
    static let maxBackupFrameBytes = 512 << 20
    /// Entries, or refusals, that are read while a shard is open: the server that writes it waits at most so long.
    static let backupReadRows = 4_096
    /// Bytes of journaled records that are gathered before they are written to the copies of their books.
    static let backupTailBytes = 64 << 20
    /// How often it is looked again for what came from the journal into a shard meanwhile.
    static let maxBackupRounds = 20
    /// How far back refusals are looked at again, microseconds: a clock that was set back dates new ones before others.
    static let refusalOverlapMicroseconds: Int64 = 60 * 1_000_000
    /// Ranges of entries that are named where a book cannot be restored.
    static let maxNamedGaps = 20
    /// Bytes of a manifest: as many tenants as there may be.
    static let maxBackupManifestBytes = 512 << 20
}

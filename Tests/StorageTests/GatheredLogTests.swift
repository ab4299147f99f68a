import Glibc
import Locks
import SimulatedDisk
import Testing

@testable import Storage

/// What a transaction writes to a log gathers, and goes to the disk as a whole.
@Suite struct GatheredLogTests {
    private let disk = SimulatedDisk(directories: ["/d"])

    private func open() throws -> Database {
        try Database(
            path: "/d/db", .create,
            setup: "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE IF NOT EXISTS t (x)",
            vfs: disk.sqliteVFS)
    }

    private func add(_ count: Int, bytes: Int = 400, to database: Database) throws(StorageError) {
        try database.execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(count))
            INSERT INTO t SELECT zeroblob(\(bytes)) FROM n
            """)
    }

    /// Rows of a table that is whole.
    private func rows(_ database: Database) throws -> Int64 {
        let said = try database.statement("PRAGMA integrity_check").first { $0.text(0) }
        #expect(said == "ok")
        return try SimulatedSQLiteTests.rows(database)
    }

    @Test func aTransactionOfManyPagesIsAFewWrites() throws {
        let database = try open()
        let before = database.logBytes
        let calls = disk.calls
        try add(500, to: database)
        let frames = (database.logBytes - before) / (4_096 + 24)
        #expect(frames > 45, "some 50 pages hold so much")
        // Of 64 KiB each, the first and the last of them less; the rest are locks and sizes.
        #expect(disk.calls - calls < 20, "\(disk.calls - calls) calls")
        let count = try rows(database)
        #expect(count == 500)
    }

    /// A sync of the journal would stand behind all that one of a shard covers.
    @Test func whatIsMuchIsSyncedInPieces() throws {
        let database = try open()
        let unsynced = Protected<[String: Int]>([:])
        let most = Protected<[String: Int]>([:])
        disk.trace { line in
            // "17: write /d/db-wal at 0, 32 bytes, …"
            let words = line.split(separator: " ")
            let file = String(words[2])
            if words[1] == "sync" {
                unsynced.withLock { $0[file] = 0 }
            } else if words[1] == "write", let count = Int(words[5]) {
                let now = unsynced.withLock { files in
                    files[file, default: 0] += count
                    return files[file]!
                }
                most.withLock { $0[file] = max($0[file] ?? 0, now) }
            }
        }
        try add(20_000, to: database)
        let log = database.logBytes
        let isEmptied = try database.checkpoint()
        disk.trace(nil)
        #expect(isEmptied)
        #expect(log > 8 << 20)
        let (ofLog, ofFile) = most.withLock { ($0["/d/db-wal"] ?? 0, $0["/d/db"] ?? 0) }
        // Frames gather to 64 KiB before they are written, pages are written one by one.
        let piece = SimulatedDisk.syncedPieceBytes
        #expect((piece...piece + 64 << 10).contains(ofLog), "\(ofLog) bytes")
        #expect((piece...piece + 4_096).contains(ofFile), "\(ofFile) bytes")
    }

    /// SQLite writes such pages over, and then the checksums of all frames from there on, up to the one that ends the transaction.
    @Test func pagesThatChangedAgainAfterTheyWereInTheLogSurviveTheProcess() throws {
        let database = try open()
        try database.execute("PRAGMA cache_size = 2; BEGIN IMMEDIATE")
        try add(400, to: database)
        try database.execute("UPDATE t SET x = zeroblob(401); COMMIT")
        disk.endProcess()
        database.close()
        let again = try open()
        let count = try rows(again)
        #expect(count == 400)
        let changed = try again.statement("SELECT count(*) FROM t WHERE length(x) = 401").first { $0.integer(0) }
        #expect(changed == 400)
    }

    @Test func whatWasRolledBackGoesNowhere() throws {
        let one = try open()
        let other = try open()
        // An empty log, so that to roll back reads nothing of it.
        let isEmptied = try one.checkpoint()
        #expect(isEmptied)
        // Pages that the cache does not hold go to the log before the transaction ends.
        try one.execute("PRAGMA cache_size = 2; BEGIN IMMEDIATE")
        try add(400, to: one)
        try one.execute("ROLLBACK")
        try add(800, bytes: 300, to: other)
        // Reads the log where the other has written since.
        let seen = try SimulatedSQLiteTests.rows(one)
        #expect(seen == 800)
        try add(3, to: one)
        one.close()
        other.close()
        let again = try open()
        let count = try rows(again)
        #expect(count == 803)
    }

    @Test func aTransactionThatTheDiskHasNoRoomForIsNone() throws {
        let database = try open()
        try add(10, to: database)
        disk.fail(atCall: 1, .forGood(errno: ENOSPC))
        #expect(throws: StorageError.self) { try add(500, to: database) }
        disk.repair()
        let before = try SimulatedSQLiteTests.rows(database)
        #expect(before == 10)
        try add(500, to: database)
        disk.endProcess()
        database.close()
        let again = try open()
        let count = try rows(again)
        #expect(count == 510)
    }
}

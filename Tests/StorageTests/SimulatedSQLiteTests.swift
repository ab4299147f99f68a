import Glibc
import SimulatedDisk
import Testing

@testable import Storage

/// SQLite on the simulated disk.
@Suite struct SimulatedSQLiteTests {
    static func open(_ disk: SimulatedDisk, _ mode: Database.Mode = .create) throws -> Database {
        try Database(
            path: "/d/db", mode, setup: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", vfs: disk.sqliteVFS)
    }

    static func rows(_ database: Database) throws -> Int64 {
        try database.statement("SELECT count(*) FROM t").first { $0.integer(0) } ?? -1
    }

    @Test func aCommitSurvivesAPowerCutAndNothingIsLeftOnTheRealDisk() throws {
        let disk = SimulatedDisk(directories: ["/d"])
        let database = try Self.open(disk)
        try database.execute("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
        #expect(disk.openFiles.count == 2 && database.logBytes > 0)
        try disk.syncDirectory("/d")
        for number in 0..<20 as Range<Int64> {
            try database.execute("INSERT INTO t VALUES (\(number))")
        }
        let old = Self.keepOpen(database)
        disk.losePower(.all)
        #expect(try Self.rows(Self.open(disk)) == 21)
        old.close()
        #expect(disk.openFiles.isEmpty)
        #expect(access("/d", F_OK) != 0)
    }

    private static func keepOpen(_ database: Database) -> Database { database }

    @Test func aCommitWithoutASyncIsLostByAPowerCutAndNotByTheEndOfTheProcess() throws {
        let disk = SimulatedDisk(directories: ["/d"])
        var database = try Self.open(disk)
        try database.execute("CREATE TABLE t (x); PRAGMA synchronous = NORMAL")
        try disk.syncDirectory("/d")
        try database.execute("INSERT INTO t VALUES (1)")
        disk.endProcess()
        database.close()
        database = try Self.open(disk)
        #expect(try Self.rows(database) == 1)
        disk.losePower(.all)
        database.close()
        #expect(try Self.rows(Self.open(disk)) == 0)
    }

    @Test func whoReadsSeesOneStateWhileAnotherWrites() throws {
        let disk = SimulatedDisk(directories: ["/d"])
        let writer = try Self.open(disk)
        try writer.execute("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
        let reader = try Self.open(disk, .readOnly)
        try reader.transaction("BEGIN") { () throws(StorageError) in
            #expect(try! Self.rows(reader) == 1)
            try writer.execute("INSERT INTO t VALUES (2)")
            #expect(try! Self.rows(reader) == 1)
            #expect(try writer.checkpoint() == false, "the reader needs the log")
        }
        #expect(try Self.rows(reader) == 2)
        reader.close()
        #expect(try writer.checkpoint())
        #expect(writer.logBytes == 0)
    }

    @Test func twoWritersExcludeEachOther() throws {
        let disk = SimulatedDisk(directories: ["/d"])
        let first = try Self.open(disk)
        try first.execute("CREATE TABLE t (x)")
        let second = try Self.open(disk)
        try first.execute("BEGIN IMMEDIATE")
        #expect(throws: StorageError.self) { try second.execute("BEGIN IMMEDIATE") }
        try first.execute("COMMIT")
        try second.execute("BEGIN IMMEDIATE; COMMIT")
        second.close()
        // One that has the file for itself keeps the others out altogether.
        first.close()
        let alone = try Database(path: "/d/db", .readWrite, setup: ShardSchema.briefSetup(), vfs: disk.sqliteVFS)
        try alone.execute("INSERT INTO t VALUES (1)")
        #expect(throws: StorageError.self) { try Self.rows(Self.open(disk)) }
        alone.close()
        #expect(try Self.rows(Self.open(disk)) == 1)
    }

    @Test func errorsTellTheReasonAndTheFile() throws {
        let disk = SimulatedDisk(directories: ["/d"])
        let database = try Self.open(disk)
        try database.execute("CREATE TABLE t (x)")
        disk.capacity = disk.usedBytes + 5_000
        #expect {
            for _ in 0..<100 { try database.execute("INSERT INTO t VALUES (randomblob(1000))") }
        } throws: {
            ($0 as? StorageError)?.isDiskFull == true && "\($0)".contains("/d/db")
        }
        disk.capacity = nil
        try database.execute("INSERT INTO t VALUES (1)")
        disk.fail(atCall: 1, .forGood(errno: EIO))
        #expect {
            try database.execute("INSERT INTO t VALUES (1)")
        } throws: {
            "\($0)".contains("disk I/O error") && "\($0)".contains("/d/db")
        }
        disk.repair()
        try database.execute("INSERT INTO t VALUES (1)")
    }

    /// In a process of its own, as others would draw from SQLite's random numbers here.
    @Test func theSameSeedGivesTheSameRun() async {
        await #expect(processExitsWith: .success) {
            for seed in 1..<3 as Range<UInt64> {
                let one = try SimulatedDiskTests.busyRun(seed: seed)
                let other = try SimulatedDiskTests.busyRun(seed: seed)
                let different = try SimulatedDiskTests.busyRun(seed: seed + 100)
                #expect(one.digest == other.digest)
                #expect(one.bytes == other.bytes)
                #expect(one.digest != different.digest)
            }
        }
    }
}

import Glibc
import SimulatedDisk
import Testing

@testable import Storage

/// The disk of the other tests does what a real one may do, and no more.
@Suite struct SimulatedDiskTests {
    static let path = "/d/file"

    /// A file of one synced sector run, durable with its name.
    static func disk(seed: UInt64 = 1, _ bytes: [UInt8] = []) throws -> SimulatedDisk {
        let disk = SimulatedDisk(seed: seed, directories: ["/d"])
        let file = try disk.open(path, .create)
        try file.write(bytes, at: 0)
        try file.sync()
        try disk.syncDirectory("/d")
        return disk
    }

    static func filled(_ byte: UInt8, _ count: Int) -> [UInt8] { [UInt8](repeating: byte, count: count) }

    // MARK: - Power

    @Test func aPowerCutKeepsWhatWasSyncedAndMayTakeTheRest() throws {
        let disk = try Self.disk(Self.filled(1, 1_500))
        let file = try disk.open(Self.path, .existing)
        try file.write(Self.filled(2, 100), at: 600)
        try file.write(Self.filled(3, 10), at: 2_000)
        #expect(try file.size() == 2_010)
        disk.losePower(.all)
        #expect(disk.bytes(Self.path) == Self.filled(1, 1_500))
        #expect(throws: StorageError.self, "the process that had it open is gone") { try file.size() }
    }

    @Test func aPowerCutOfTheGoodKindTakesNothing() throws {
        let disk = try Self.disk(Self.filled(1, 100))
        let file = try disk.open(Self.path, .existing)
        try file.write(Self.filled(2, 100), at: 100)
        disk.losePower(.nothing)
        #expect(disk.bytes(Self.path) == Self.filled(1, 100) + Self.filled(2, 100))
    }

    /// Sectors come and go each by itself; bytes that nobody wrote stay; a later sector may be there without an earlier one.
    @Test func sectorsAreLostReorderedAndTornEachByItself() throws {
        var (kept, lost, torn, reordered) = (0, 0, 0, 0)
        for seed in 0..<200 as Range<UInt64> {
            let disk = try Self.disk(seed: seed, Self.filled(1, 2_048))
            let file = try disk.open(Self.path, .existing)
            // Two sectors whole, and a part of the last.
            try file.write(Self.filled(2, 1_024), at: 512)
            try file.write(Self.filled(3, 100), at: 1_700)
            disk.losePower(.some)
            let bytes = try #require(disk.bytes(Self.path))
            #expect(bytes.count == 2_048)
            #expect(bytes[..<512].allSatisfy { $0 == 1 } && bytes[1_536..<1_700].allSatisfy { $0 == 1 })
            #expect(bytes[1_800...].allSatisfy { $0 == 1 })
            let sectors = [bytes[512..<1_024], bytes[1_024..<1_536]]
            for sector in sectors {
                let new = sector.prefix { $0 == 2 }.count
                #expect(sector.dropFirst(new).allSatisfy { $0 == 1 }, "the new bytes come first, then the old ones")
                if new == 0 { lost += 1 } else if new == 512 { kept += 1 } else { torn += 1 }
            }
            if sectors[0].last == 1, sectors[1].last == 2 { reordered += 1 }
        }
        #expect(kept > 50 && lost > 50 && torn > 10 && reordered > 20)
    }

    @Test func anOlderWriteOfASectorMayBeTheOneThatIsLeft() throws {
        var left: Set<UInt8> = []
        for seed in 0..<50 as Range<UInt64> {
            let disk = try Self.disk(seed: seed, Self.filled(1, 512))
            let file = try disk.open(Self.path, .existing)
            try file.write(Self.filled(2, 512), at: 0)
            try file.write(Self.filled(3, 512), at: 0)
            disk.losePower(.some)
            left.insert(try #require(disk.bytes(Self.path)?.last))
        }
        #expect(left == [1, 2, 3])
    }

    @Test func theEndOfAProcessTakesNothingButAPowerCutAfterItDoes() throws {
        let disk = try Self.disk(Self.filled(1, 10))
        let file = try disk.open(Self.path, .existing)
        try file.write(Self.filled(2, 10), at: 0)
        #expect(try file.lock())
        disk.endProcess()
        #expect(disk.bytes(Self.path) == Self.filled(2, 10))
        #expect(try disk.open(Self.path, .existing).lock(), "its lock is let go of")
        disk.losePower(.all)
        #expect(disk.bytes(Self.path) == Self.filled(1, 10))
    }

    // MARK: - Names

    @Test func namesAreLostUntilTheirDirectoryIsSynced() throws {
        let disk = try Self.disk(Self.filled(1, 10))
        let file = try disk.open("/d/new", .create)
        try file.sync()
        try disk.rename(Self.path, to: "/d/moved")
        try disk.makeDirectory("/d/e")
        #expect(try disk.list("/d") == ["e", "moved", "new"])
        let whole = disk.copy(seed: 1)
        disk.losePower(.all)
        #expect(try disk.list("/d") == ["file"])
        try whole.syncDirectory("/d")
        whole.losePower(.all)
        #expect(try whole.list("/d") == ["e", "moved", "new"])
        #expect(whole.bytes("/d/moved") == Self.filled(1, 10))
    }

    @Test func aRenameIsWholeOrNotAtAll() throws {
        var found: Set<[String]> = []
        for seed in 0..<50 as Range<UInt64> {
            let disk = try Self.disk(seed: seed, Self.filled(1, 10))
            try disk.open("/d/target", .create).sync()
            try disk.syncDirectory("/d")
            try disk.rename(Self.path, to: "/d/target")
            disk.losePower(.some)
            found.insert(try disk.list("/d"))
        }
        #expect(found == [["file", "target"], ["target"]])
    }

    // MARK: - Faults

    @Test func aFailedSyncDropsWhatItWasToWriteOnce() throws {
        var (lost, kept) = (0, 0)
        for seed in 0..<20 as Range<UInt64> {
            let disk = try Self.disk(seed: seed, Self.filled(1, 512))
            let file = try disk.open(Self.path, .existing)
            try file.write(Self.filled(2, 512), at: 0)
            disk.fail(atCall: 1, .once(errno: EIO))
            #expect(throws: StorageError.system(operation: "sync", path: Self.path, errno: EIO)) { try file.sync() }
            try file.sync()
            #expect(try file.readAll() == Self.filled(2, 512), "who reads does not see it")
            disk.losePower(.nothing)
            if disk.bytes(Self.path) == Self.filled(1, 512) { lost += 1 } else { kept += 1 }
        }
        #expect(lost > 5 && kept > 0)
    }

    @Test func whatIsWrittenAgainAfterAFailedSyncIsThere() throws {
        let disk = try Self.disk(Self.filled(1, 512))
        let file = try disk.open(Self.path, .existing)
        try file.write(Self.filled(2, 512), at: 0)
        disk.fail(atCall: 1, .once(errno: EIO))
        #expect(throws: StorageError.self) { try file.sync() }
        try file.write(Self.filled(2, 1), at: 0)
        try file.sync()
        disk.losePower(.all)
        #expect(disk.bytes(Self.path) == Self.filled(2, 512))
    }

    @Test func afterACrashNothingSucceedsAndNothingChanges() throws {
        let disk = try Self.disk(Self.filled(1, 10))
        let file = try disk.open(Self.path, .existing)
        disk.crash(atCall: 1)
        #expect(throws: StorageError.self) { try file.write(Self.filled(2, 10), at: 0) }
        let after = disk.bytes(Self.path)
        #expect(throws: StorageError.self) { try file.write(Self.filled(3, 10), at: 0) }
        #expect(throws: StorageError.self) { try disk.open(Self.path, .readOnly) }
        #expect(throws: StorageError.self) { try disk.exists(Self.path) }
        #expect(disk.isDown && disk.hasFailed && disk.bytes(Self.path) == after)
        #expect(disk.struckCall == "write \(Self.path) at 0")
        disk.losePower(.all)
        #expect(try disk.open(Self.path, .readOnly).readAll() == Self.filled(1, 10))
    }

    @Test func aFaultStrikesTheCallThatWasNamedAndNoOther() throws {
        let disk = try Self.disk(Self.filled(1, 10))
        disk.fail(atCall: 2, .once(errno: EIO))
        #expect(try disk.exists(Self.path))
        #expect(!disk.hasFailed && !disk.isPlanOver)
        #expect(throws: StorageError.system(operation: "open", path: Self.path, errno: EIO)) {
            try disk.open(Self.path, .readOnly)
        }
        #expect(disk.hasFailed && disk.isPlanOver)
        #expect(try disk.open(Self.path, .readOnly).size() == 10)
        // A read needs no room.
        disk.fail(atCall: 1, .once(errno: ENOSPC))
        #expect(try disk.exists(Self.path))
        #expect(!disk.hasFailed && disk.isPlanOver)
    }

    @Test func aFullDiskTakesWhatFitsUntilThereIsRoomAgain() throws {
        let disk = try Self.disk(Self.filled(1, 1_000))
        disk.capacity = 1_500
        let file = try disk.open(Self.path, .existing)
        #expect(throws: StorageError.system(operation: "write", path: Self.path, errno: ENOSPC)) {
            try file.write(Self.filled(2, 1_000), at: 1_000)
        }
        #expect(try file.size() == 1_500)
        try file.write(Self.filled(3, 500), at: 0)
        let other = try disk.open("/d/other", .create)
        #expect(throws: StorageError.self) { try other.write([1], at: 0) }
        try disk.remove(Self.path)
        try other.write(Self.filled(1, 1_500), at: 0)
        #expect(disk.usedBytes == 1_500)
        disk.capacity = nil
        try other.allocate(5_000)
        disk.capacity = 5_000
        try other.write(Self.filled(1, 5_000), at: 0)
    }

    @Test func bitsTurnOverAtRestOnly() throws {
        let disk = try Self.disk(Self.filled(0, 1_024))
        let file = try disk.open(Self.path, .existing)
        try file.write([0], at: 600)
        #expect(!disk.flip(Self.path, bit: 600 * 8))
        for _ in 0..<20 {
            let bit = try #require(disk.flipBit(in: Self.path))
            #expect(bit < 512 * 8)
            #expect(disk.bytes(Self.path)?[bit / 8] == 1 << (bit % 8))
            #expect(disk.flip(Self.path, bit: bit))
        }
    }

    // MARK: - Determinism

    /// Books and manifests on one disk that crashes. Each book has a store of its own: which shard of many is synced first
    /// is left to chance by Swift's dictionaries.
    static func busyRun(seed: UInt64) throws -> (digest: UInt64, bytes: [[UInt8]?]) {
        let disk = SimulatedDisk(seed: seed, directories: (0..<3).map { "/shards-\($0)" })
        for round in 0..<3 {
            if round > 0 { disk.crash(atCall: 200) }
            let store = ShardStore(path: "/shards-\(round)", fileSystem: disk)
            var book = BookDriver(tenant: TenantID("tenant-\(round)")!, seed: seed)
            do {
                try book.run(steps: 40, into: store)
                try store.settle()
            } catch is StorageError {
                #expect(round > 0)
            }
            store.close()
            disk.losePower(.some)
        }
        return (disk.digest, disk.files.map(disk.bytes))
    }
}

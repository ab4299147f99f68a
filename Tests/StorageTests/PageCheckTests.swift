import Ledger
import SeededRandom
import SimulatedDisk
import Testing

@testable import Storage

/// A file that rotted on the disk is found and named, and nothing of it is served.
@Suite struct PageCheckTests {
    let disk = SimulatedDisk(directories: ["/shards", "/data"])

    /// What a shard serves.
    struct Served: Equatable {
        var totals: BookTotals?
        var position: UInt64?
        var entries: [Entry]
        var hashes: [[UInt8]]
        var audit: [Entry]
        var reservations: Int
    }

    private func serve(_ store: ShardStore) throws(StorageError) -> Served {
        let loaded = try store.load("acme")
        let page = try store.transactions("acme", query: TransactionQuery(limit: 1_000))
        return Served(
            totals: loaded?.snapshot.totals, position: loaded?.position, entries: page.entries.map(\.entry),
            hashes: page.entries.map(\.hash),
            audit: try store.audit("acme", query: AuditQuery(limit: 1_000)).entries,
            reservations: try store.reservations("acme", query: ReservationQuery(limit: 1_000)).reservations.count)
    }

    private func makeShard() throws -> (file: String, served: Served) {
        let store = ShardStore(path: "/shards", fileSystem: disk)
        try GovernedBook(tenant: "acme", seed: 4, store: store).run(steps: 120)
        store.closeIdle()
        try store.settle()
        let again = ShardStore(path: "/shards", fileSystem: disk)
        defer { again.close() }
        return (ShardStore.file(of: "acme", in: "/shards"), try serve(again))
    }

    @Test func aBitOfAShardThatTurnedOverIsFoundAndNeverServed() throws {
        let (file, served) = try makeShard()
        let count = try #require(disk.bytes(file)).count
        var random = SeededRandom(seed: propertySeed)
        // Those of the header, which SQLite reads before the page, and some of all others.
        let bits = Array(0..<100 * 8) + (0..<600).map { _ in Int.random(in: 0..<count * 8, using: &random) }
        for bit in bits {
            let flipped = disk.copy(seed: 1)
            #expect(flipped.flip(file, bit: bit))
            let store = ShardStore(path: "/shards", fileSystem: flipped)
            defer { store.close() }
            do {
                let isSame = try serve(store) == served
                #expect(isSame, "bit \(bit) is served")
            } catch {
                #expect(error.isCorruption && "\(error)".contains(file), "bit \(bit): \(error)")
            }
            let fault = try store.verify("acme").fault
            #expect(fault != nil, "bit \(bit) of page \(bit / 8 / 4_096 + 1) is not found")
        }
        print("covered: rot: \(bits.count) bits of a shard turned over, one at a time")
    }

    @Test func aPageInTheWrongPlaceIsFound() throws {
        let (file, _) = try makeShard()
        var bytes = try #require(disk.bytes(file))
        let pages = bytes.count / 4_096
        #expect(pages > 8)
        let whole = bytes
        for page in 1..<pages - 1 {
            bytes = whole
            bytes.replaceSubrange(
                page * 4_096..<(page + 1) * 4_096, with: whole[(page + 1) * 4_096..<(page + 2) * 4_096])
            disk.overwrite(file, bytes)
            let store = ShardStore(path: "/shards", fileSystem: disk)
            #expect(try store.verify("acme").fault?.reason.contains("not as it was written") == true)
            store.close()
        }
    }

    @Test func aBitOfTheDirectoryThatTurnedOverIsFound() throws {
        let path = "/data/directory.sqlite"
        let directory = try Directory(path: path, fileSystem: disk)
        for number in 0..<DirectoryAnomalyTests.changeCount {
            try DirectoryAnomalyTests.change(number, directory)
            // A log ends, for SQLite, where a bit of it turned over; that a note was settled may be forgotten.
            let log = try #require(disk.bytes(path + "-wal"))
            #expect(log.isEmpty || number == 5, "change \(number) stands in the log alone")
        }
        let known = try DirectoryAnomalyTests.contents(directory)
        disk.endProcess()
        directory.close()
        let count = try #require(disk.bytes(path)).count
        var random = SeededRandom(seed: propertySeed)
        var found = 0
        for _ in 0..<400 {
            let bit = Int.random(in: 0..<count * 8, using: &random)
            let flipped = disk.copy(seed: 1)
            #expect(flipped.flip(path, bit: bit))
            do {
                let again = try Directory(path: path, fileSystem: flipped)
                // Pages that nothing needs are not read.
                let isSame = try DirectoryAnomalyTests.contents(again) == known
                #expect(isSame, "bit \(bit) is served")
                again.close()
            } catch {
                found += 1
                #expect(error.isCorruption && "\(error)".contains(path), "bit \(bit): \(error)")
            }
        }
        #expect(found > 200)
    }

    @Test func aBitOfTheManifestThatTurnedOverIsFound() throws {
        let (_, served) = try makeShard()
        let path = "/shards/" + ShardManifest.name
        // Its log, moved into the file.
        let database = try Database(path: path, .readWrite, setup: "", vfs: disk.sqliteVFS)
        #expect(try database.checkpoint())
        database.close()
        let count = try #require(disk.bytes(path)).count
        for bit in stride(from: 0, to: count * 8, by: 173) {
            let flipped = disk.copy(seed: 1)
            #expect(flipped.flip(path, bit: bit))
            let store = ShardStore(path: "/shards", fileSystem: flipped)
            defer { store.close() }
            do {
                let isSame = try serve(store) == served
                #expect(isSame, "bit \(bit) is served")
                Issue.record("bit \(bit) of the manifest is not found")
            } catch {
                #expect(error.isCorruption && "\(error)".contains(path), "bit \(bit): \(error)")
            }
        }
    }
}

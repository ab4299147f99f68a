import Glibc
import Ledger
import SimulatedDisk
import Testing

@testable import Storage

/// What the write-ahead log of a shard may do to its book on a bad day: nothing.
@Suite struct ShardLogTests {
    let disk: SimulatedDisk
    let acme: TenantID = "acme"

    init() { self.init(disk: SimulatedDisk(seed: 5, directories: ["/shards"])) }

    private init(disk: SimulatedDisk) { self.disk = disk }

    var file: String { ShardStore.file(of: acme, in: "/shards") }

    func store() -> ShardStore { ShardStore(path: "/shards", fileSystem: disk) }

    /// The records up to this one survive a power cut that keeps nothing which was not synced.
    func expectAfterPowerCut(position: UInt64, sourceLocation: SourceLocation = #_sourceLocation) throws {
        disk.losePower(.all)
        let store = store()
        #expect(try store.extent(acme)?.position == position, sourceLocation: sourceLocation)
        #expect(try store.verify(acme).fault == nil, sourceLocation: sourceLocation)
    }

    @Test("A log that outlived its file is not taken for the new file's")
    func leftOverLog() throws {
        var book = BookDriver(tenant: acme, seed: 1)
        var first: ShardStore? = store()
        try book.run(steps: 40, into: first!)
        disk.endProcess()
        first = nil
        disk.erase(file)
        #expect(disk.files.contains(file + "-wal"))

        let second = store()
        var again = BookDriver(tenant: acme, seed: 1)
        try again.run(steps: 20, into: second)
        #expect(try second.verify(acme).fault == nil)
        #expect(try second.extent(acme)?.position == again.position)
    }

    /// SQLite syncs the folder of a new log once, and says nothing where that fails.
    @Test("The name of a log that was made later is durable with its shard")
    func nameOfALog() throws {
        var call = 0
        var wasSync = false
        while !wasSync {
            call += 1
            let disk = SimulatedDisk(seed: 5, directories: ["/shards"])
            let tests = Self(disk: disk)
            var book = BookDriver(tenant: acme, seed: 2)
            var first: ShardStore? = tests.store()
            try book.run(steps: 20, into: first!)
            #expect(first!.makeDurable([acme]).isEmpty)
            first!.close()
            disk.endProcess()
            first = nil
            disk.erase(file + "-wal")

            let second = tests.store()
            disk.fail(atCall: call, .once(errno: EIO))
            let isRefused = (try? book.run(steps: 20, into: second)) == nil
            try #require(disk.hasFailed, "no folder is synced")
            wasSync = disk.struckCall!.hasPrefix("syncDirectory")
            if !wasSync { continue }
            #expect(!isRefused)
            #expect(second.makeDurable([acme]).isEmpty)
            try tests.expectAfterPowerCut(position: book.position)
        }
    }

    @Test("After a sync that failed the next one covers what that dropped")
    func failedSync() throws {
        var call = 0
        while true {
            call += 1
            let disk = SimulatedDisk(seed: UInt64(call), directories: ["/shards"])
            let tests = Self(disk: disk)
            var book = BookDriver(tenant: acme, seed: 3)
            let store = tests.store()
            try book.run(steps: 20, into: store)
            disk.fail(atCall: call, .once(errno: EIO))
            let failures = store.makeDurable([acme])
            if !disk.isPlanOver { break }
            disk.repair()
            if !failures.isEmpty { #expect(store.makeDurable([acme]).isEmpty, "call \(call)") }
            try tests.expectAfterPowerCut(position: book.position)
        }
        #expect(call > 5)
    }

    @Test("A proof leaves the log as it was, whatever fails meanwhile")
    func logBesideAProof() throws {
        var call = 0
        while true {
            call += 1
            let disk = SimulatedDisk(seed: UInt64(call), directories: ["/shards"])
            let tests = Self(disk: disk)
            var book = BookDriver(tenant: acme, seed: 6)
            // The one place is taken: the shard is closed after each use, and the proof's connection is the only one.
            let store = ShardStore(path: "/shards", bounds: ShardBounds(openShards: 1), fileSystem: disk)
            var other = BookDriver(tenant: "globex", seed: 7)
            try other.run(steps: 5, into: store)
            try book.run(steps: 40, into: store)
            disk.fail(atCall: call, .once(errno: EIO))
            _ = try? store.verify(acme)
            if !disk.isPlanOver { break }
            disk.repair()
            #expect(store.makeDurable([acme]).isEmpty, "call \(call)")
            try tests.expectAfterPowerCut(position: book.position)
        }
        #expect(call > 5)
    }

    @Test("What an earlier process could not sync is written once more before a sync counts")
    func logOfAnEarlierProcess() throws {
        var book = BookDriver(tenant: acme, seed: 4)
        var first: ShardStore? = store()
        try book.run(steps: 20, into: first!)
        #expect(first!.makeDurable([acme]).isEmpty)
        try book.run(steps: 20, into: first!)
        // The kernel drops what it could not write, and the process ends before it can do anything about it.
        let log = try disk.open(file + "-wal", .existing)
        disk.fail(atCall: 1, .once(errno: EIO))
        #expect(throws: StorageError.self) { try log.sync() }
        disk.endProcess()
        first = nil

        let second = store()
        #expect(try second.extent(acme)?.position == book.position)
        #expect(second.makeDurable([acme]).isEmpty)
        try expectAfterPowerCut(position: book.position)
    }

    @Test("What a directory shows when it is opened stays, whatever an earlier process could not sync")
    func logOfTheDirectory() throws {
        let tenant = TenantRecord(id: acme, plan: "", displayName: "A", timeZone: "UTC", createdAt: .zero)
        var first: Directory? = try Directory(path: "/shards/directory.sqlite", fileSystem: disk)
        // The commit's one sync comes last: everything is written, and nothing of it is on the disk.
        var call = 0
        while first!.tenant(acme) == nil {
            call += 1
            disk.fail(atCall: call, .once(errno: EIO))
            let isRefused = (try? first!.createTenant(tenant)) == nil
            let wasSync = disk.struckCall?.hasPrefix("sync") ?? false
            disk.repair()
            if isRefused, wasSync { break }
        }
        disk.endProcess()
        first = nil
        let shown = try Directory(path: "/shards/directory.sqlite", fileSystem: disk).tenant(acme)
        disk.losePower(.all)
        #expect(try Directory(path: "/shards/directory.sqlite", fileSystem: disk).tenant(acme) == shown)
    }

    @Test("A crash at any call while the manifest is made leaves one that a server can open")
    func makingOfTheManifest() throws {
        var call = 0
        while true {
            call += 1
            let disk = SimulatedDisk(seed: UInt64(call), directories: ["/shards"])
            let tests = Self(disk: disk)
            var book = BookDriver(tenant: acme, seed: 5)
            var store: ShardStore? = tests.store()
            try book.run(steps: 10, into: store!)
            disk.crash(atCall: call)
            _ = store!.makeDurable([acme])
            if !disk.isDown { break }
            store = nil
            disk.losePower(.some)
            #expect(throws: Never.self, "call \(call)") { try tests.store().check(journalFrom: 1) }
        }
        #expect(call > 20)
    }
}

import Glibc
import Ledger
import SimulatedDisk
import Testing

@testable import Storage

/// A backup, a restore and the healing of a book, failed at each call of theirs in turn, SQLite's among them.
@Suite struct BackupFaultTests {
    private static let tenants: [TenantID] = ["acme", "beta"]
    private static let acme = Result { try SomeBooks.records("acme", seed: 31, steps: 30) }
    private static let beta = Result { try SomeBooks.records("beta", seed: 32, steps: 5) }

    private static func entries(_ records: [[Entry]]) -> UInt64 {
        UInt64(records.joined().filter { $0.kind != .refusal }.count)
    }

    /// How the n-th call fails, and what the end of the process takes then.
    private enum Way: CaseIterable {
        case once, noRoom, forGood, killed, allLost, someLost

        func plan(_ call: Int, on disk: SimulatedDisk) {
            switch self {
            case .once: disk.fail(atCall: call, .once(errno: 5))
            case .noRoom: disk.fail(atCall: call, .once(errno: 28))
            case .forGood: disk.fail(atCall: call, .forGood(errno: 5))
            case .killed, .allLost, .someLost: disk.crash(atCall: call)
            }
        }

        func end(on disk: SimulatedDisk) {
            switch self {
            case .once, .noRoom, .forGood, .killed: disk.endProcess()
            case .allLost: disk.losePower(.all)
            case .someLost: disk.losePower(.some)
            }
        }
    }

    /// Runs `body` on copies of a disk, each failing at another call, until none is left to fail, and then `check`. TOLLGATE_LONG
    /// fails every call, else every few do, each kind of failure as often.
    ///
    /// - Returns: how many calls failed.
    private func failEachCall(
        of disk: SimulatedDisk, _ body: (SimulatedDisk) throws -> Void,
        check: (SimulatedDisk, Bool, String) throws -> Void
    ) throws -> Int {
        let step = getenv("TOLLGATE_LONG") == nil ? 7 : 1
        for (turn, call) in stride(from: 1, to: 1_000_000, by: step).enumerated() {
            let way = Way.allCases[turn % Way.allCases.count]
            let copy = disk.copy(seed: UInt64(call))
            way.plan(call, on: copy)
            var isDone = true
            do {
                try body(copy)
            } catch is StorageError {
                isDone = false
            }
            let isOver = copy.isPlanOver
            let struck = "call \(call), \(way): \(copy.struckCall ?? "none")"
            #expect(isDone || copy.hasFailed, "it fails though no call did: \(struck)")
            way.end(on: copy)
            try check(copy, isDone, struck)
            if !isOver { return turn }
        }
        return 0
    }

    /// A stopped server, one of whose books is partly in the journal alone, with a backup of the first half.
    private func disk() throws -> SimulatedDisk {
        let disk = SimulatedDisk(seed: 3)
        let server = try BackedUpServer(tenants: Self.tenants, on: disk)
        let (acme, beta) = (try Self.acme.get(), try Self.beta.get())
        for record in acme[..<(acme.count / 2)] { try server.take(record, of: "acme") }
        try server.flush("acme")
        try server.trim()
        try server.backup()
        for record in acme[acme.count / 2..<acme.count * 3 / 4] { try server.take(record, of: "acme") }
        try server.flush("acme")
        for record in beta { try server.take(record, of: "beta") }
        try server.flush("beta")
        try server.trim()
        for record in acme[(acme.count * 3 / 4)...] { try server.take(record, of: "acme") }
        server.close()
        disk.endProcess()
        return disk
    }

    private func backup(on disk: SimulatedDisk) throws -> BackupReport {
        var run = BackupRun(dataPath: "/data", target: "/backup")
        run.fileSystem = disk
        return try run.run(at: .zero)
    }

    private func expectProved(_ disk: SimulatedDisk, _ what: String) throws {
        try disk.makeDirectory("/scratch")
        var verifier = BackupVerifier(source: "/backup", scratch: "/scratch")
        verifier.fileSystem = disk
        let report = try verifier.verify()
        #expect(report.directoryFault == nil, "\(what)")
        for book in report.books { #expect(try book.verdict.get().fault == nil, "\(what)") }
    }

    @Test func aBackupThatFailsAtAnyCallIsMadeUpForByTheNext() throws {
        let all = Self.entries(try Self.acme.get()) + Self.entries(try Self.beta.get())
        let calls = try failEachCall(of: try disk()) { disk in
            let report = try backup(on: disk)
            // A shard that could not be read is named, and the run is not taken for whole.
            #expect(report.entries == all || !report.faults.isEmpty)
        } check: { disk, _, what in
            let report = try backup(on: disk)
            #expect(report.entries == all && report.faults.isEmpty, "\(what)")
            try expectProved(disk, what)
        }
        #expect(calls > 20)
        print("covered: backup: failed or crashed at each of \(calls) calls of a backup, and made up for by the next")
    }

    @Test func aRestoreThatFailsAtAnyCallIsWholeOrNoDataDirectory() throws {
        let disk = try disk()
        _ = try backup(on: disk)
        let all = Self.entries(try Self.acme.get()) + Self.entries(try Self.beta.get())
        let restore = { (disk: SimulatedDisk, target: String) throws in
            var run = RestoreRun(source: "/backup", target: target)
            run.fileSystem = disk
            let report = try run.run()
            #expect(report.entries == all)
        }
        let calls = try failEachCall(of: disk) { disk in
            try restore(disk, "/new")
        } check: { disk, isDone, what in
            guard try disk.exists("/new/VERSION") else {
                #expect(!isDone, "\(what)")
                #expect(throws: StorageError.self) { try DataDirectory(path: "/new", create: false, fileSystem: disk) }
                return try restore(disk, "/again")
            }
            let store = ShardStore(path: "/new/shards", fileSystem: disk)
            defer { store.close() }
            for tenant in Self.tenants { #expect(try store.verify(tenant).fault == nil, "\(what)") }
            #expect(try store.load("acme")?.snapshot.sequence == Self.entries(try Self.acme.get()), "\(what)")
        }
        #expect(calls > 20)
        print("covered: backup: failed or crashed at each of \(calls) calls of a restore, whole or no data directory")
    }

    /// The damaged file is set aside; what it had is in the backup and in the journal.
    private func damagedDisk() throws -> SimulatedDisk {
        let disk = try disk()
        _ = try backup(on: disk)
        let file = ShardStore.file(of: "acme", in: "/data/shards")
        disk.overwrite(file, [UInt8](repeating: 0x41, count: disk.bytes(file)?.count ?? 0))
        for part in ["-wal", "-shm"] where disk.bytes(file + part) != nil { disk.erase(file + part) }
        let met = ShardStore(path: "/data/shards", fileSystem: disk)
        #expect(throws: StorageError.self) { try met.load("acme") }
        #expect(met.setAsideCount == 1)
        met.close()
        disk.endProcess()
        #expect(try !disk.exists(file))
        return disk
    }

    @Test func aBookIsHealedWhereverItsHealingOrItsAdoptionFailed() throws {
        let end = Self.entries(try Self.acme.get())
        let heal = { (disk: SimulatedDisk) throws in
            var run = HealRun(dataPath: "/data", tenant: "acme", source: "/backup")
            run.fileSystem = disk
            let report = try run.run()
            #expect(report.entries == end)
        }
        let calls = try failEachCall(of: try damagedDisk(), heal) { disk, _, what in
            // A server that comes now refuses the tenant, or has all of its book.
            let server = ShardStore(path: "/data/shards", fileSystem: disk)
            let loaded = try? server.load("acme")
            #expect(loaded.map { $0.snapshot.sequence == end } ?? true, "\(what)")
            server.close()
            disk.endProcess()
            if try !disk.exists(ShardStore.file(of: "acme", in: "/data/shards")) { try heal(disk) }
            let store = ShardStore(path: "/data/shards", fileSystem: disk)
            #expect(try store.load("acme")?.snapshot.sequence == end, "\(what)")
            #expect(try store.verify("acme").fault == nil, "\(what)")
            store.close()
        }
        #expect(calls > 20)
        print("covered: backup: failed or crashed at each of \(calls) calls while a damaged book was healed")
    }
}

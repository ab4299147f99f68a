import Ledger
import SimulatedDisk
import Testing

@testable import Storage

/// The repair of a manifest, failed at each call of its in turn, SQLite's among them.
@Suite struct ManifestRepairFaultTests {
    private static let tenants: [TenantID] = ["acme", "beta", "gamma"]
    private static let records = Result {
        try tenants.enumerated().map { try SomeBooks.records($1, seed: UInt64(51 + $0), steps: 30) }
    }

    /// A stopped server with a trimmed journal and a damaged manifest, of whose shards one is whole, one an older copy, and one damaged.
    private func disk() throws -> SimulatedDisk {
        let disk = SimulatedDisk(seed: 5)
        let server = try BackedUpServer(tenants: Self.tenants, on: disk, segmentBytes: 2 << 10)
        let records = try Self.records.get()
        var old: [UInt8]?
        let beta = ShardStore.file(of: "beta", in: "/data/shards")
        for index in 0..<6 {
            for (tenant, own) in zip(Self.tenants, records) { try server.take(own[index], of: tenant) }
        }
        for tenant in Self.tenants { try server.flush(tenant) }
        try server.trim()
        server.store.closeIdle()
        old = disk.bytes(beta)
        // Long enough that what was taken up to now is trimmed.
        for (tenant, own) in zip(Self.tenants, records) {
            for record in own.dropFirst(6).dropLast() { try server.take(record, of: tenant) }
        }
        for tenant in Self.tenants { try server.flush(tenant) }
        try server.trim()
        #expect(server.journal.firstPosition > UInt64(6 * Self.tenants.count))
        for (tenant, own) in zip(Self.tenants, records) { try server.take(own.last!, of: tenant) }
        server.close()
        disk.endProcess()
        for (path, bytes) in [
            (beta, try #require(old)), ("/data/shards/" + ShardManifest.name, [UInt8](repeating: 0x41, count: 4_096)),
            (ShardStore.file(of: "gamma", in: "/data/shards"), [UInt8](repeating: 7, count: 90_000)),
        ] {
            disk.overwrite(path, bytes)
            for part in ["-wal", "-shm"] where disk.bytes(path + part) != nil { disk.erase(path + part) }
        }
        return disk
    }

    private func repair(_ disk: SimulatedDisk) throws(StorageError) -> ManifestRepairReport {
        var run = ManifestRepair(dataPath: "/data")
        run.fileSystem = disk
        return try run.run()
    }

    /// What a server that starts now serves of each book, up to its last entry; nil where it does not start.
    private func served(_ disk: SimulatedDisk, _ what: String) throws -> [TenantID: UInt64]? {
        let journal = try LocalJournal(directory: "/data/journal", fileSystem: disk, spares: .never)
        defer { journal.close() }
        let store = ShardStore(path: "/data/shards", fileSystem: disk)
        defer { store.close() }
        do throws(StorageError) {
            try store.check(journal)
        } catch {
            #expect("\(error)".contains("tollgate repair manifest"), "\(what): \(error)")
            return nil
        }
        var served: [TenantID: UInt64] = [:]
        for tenant in Self.tenants {
            do throws(StorageError) {
                served[tenant] = try store.load(tenant)?.snapshot.sequence ?? 0
            } catch {
                #expect(error.isCorruption, "\(what): \(error)")
            }
        }
        return served
    }

    @Test func aRepairThatFailsAtAnyCallIsMadeUpForByTheNext() throws {
        let end = UInt64(try Self.records.get()[0].dropLast().joined().filter { $0.kind != .refusal }.count)
        let broken = try disk()
        #expect(try served(broken, "before") == nil)
        broken.endProcess()
        let points = try Anomalies(
            of: "repair of the manifest", on: broken, seed: propertySeed,
            kinds: [
                .failsOnce, .findsNoRoomForGood, .isKilled, .losesAll, .losesSome,
            ]
        ).run { disk in
            do throws(StorageError) {
                _ = try repair(disk)
                return true
            } catch {
                #expect(disk.hasFailed, "it fails though no call did: \(error)")
                return false
            }
        } check: { disk, isDone, point in
            #expect(point.leaks.isEmpty, "\(point)")
            // A server that comes now does not start, or serves whole books alone.
            let between = try served(disk, "\(point)")
            #expect(between == nil ? !isDone : between == ["acme": end], "\(point): \(between ?? [:])")
            disk.endProcess()
            let report = try repair(disk)
            #expect((report.fault == nil) == (between != nil), "\(point)")
            #expect(try served(disk, "\(point)") == ["acme": end], "\(point)")
            #expect(try repair(disk).fault == nil, "\(point)")
            for tenant in ["beta", "gamma"] as [TenantID] {
                let names = ShardNames(file: ShardStore.file(of: tenant, in: "/data/shards"))
                #expect(try !disk.exists(names.file) && names.setAside(disk).count == 1, "\(point): \(tenant)")
            }
        }
        #expect(points > 100)
    }
}

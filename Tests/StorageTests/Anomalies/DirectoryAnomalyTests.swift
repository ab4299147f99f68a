import Ledger
import SimulatedDisk
import Testing

@testable import Storage

/// The n-th call of the directory fails, for every n.
@Suite struct DirectoryAnomalyTests {
    static let path = "/data/directory.sqlite"

    static func note(_ number: UInt64) -> DirectoryNote {
        DirectoryNote(
            id: StepID(high: 0, low: number), tenant: "acme", body: [1, 2, UInt8(number)],
            at: Instant(microseconds: Int64(number)))
    }

    static func member(_ id: String, _ role: String) -> MemberRecord {
        MemberRecord(memberID: MemberID(id), role: role, displayName: id, createdAt: Instant(microseconds: 1))
    }

    static func key(_ id: UInt8) -> KeyRecord {
        KeyRecord(
            keyID: "key-\(id)", tenant: "acme", role: "service", name: "",
            digest: KeyDigest([UInt8](repeating: id, count: 32))!, createdAt: Instant(microseconds: 1))
    }

    static let changeCount = 10

    /// One of each thing that a directory does, with what it owes to the book.
    static func change(_ number: Int, _ directory: Directory) throws(StorageError) {
        switch number {
        case 0:
            let tenant = TenantRecord(
                id: "acme", plan: "pro", displayName: "Acme", timeZone: "UTC", createdAt: Instant(microseconds: 1))
            _ = try directory.createTenant(tenant, note: note(1))
        case 1: try directory.createKey(key(1), note: note(2))
        case 2: _ = try directory.setMember(member("ann", "owner"), of: "acme", owning: ["owner"]) { _, _ in note(3) }
        case 3: _ = try directory.setMember(member("bob", "member"), of: "acme", owning: ["owner"]) { _, _ in note(4) }
        case 4: _ = try directory.applyCatalog([UInt8](repeating: 7, count: 9_000), at: Instant(microseconds: 5))
        case 5: try directory.settle(note(1).id)
        case 6: _ = try directory.revokeKey("key-1", at: Instant(microseconds: 6), note: note(5))
        case 7: _ = try directory.removeMember(MemberID("bob"), of: "acme", owning: ["owner"]) { _ in note(6) }
        case 8: _ = try directory.updateTenant("acme", note: { _, _ in note(7) }, change: { $0.plan = "free" })
        default: try directory.createKey(key(2))
        }
    }

    /// All that it knows.
    struct Contents: Equatable {
        let tenants: [TenantRecord]
        let keys: [KeyRecord]
        let members: [MemberRecord]
        let catalogs: [CatalogRecord]
        let owed: [DirectoryNote]
    }

    static func contents(_ directory: Directory) throws(StorageError) -> Contents {
        Contents(
            tenants: directory.tenants(after: nil, limit: 10), keys: directory.allKeys(),
            members: directory.members(of: "acme", after: nil, limit: 10), catalogs: directory.catalogs(),
            owed: try directory.outbox().map(\.note))
    }

    /// What it knows after so many changes.
    static func allStates() throws -> [Contents] {
        let directory = try Directory(path: "/directory.sqlite", fileSystem: SimulatedDisk())
        defer { directory.close() }
        var states = [try contents(directory)]
        for number in 0..<changeCount {
            try change(number, directory)
            states.append(try contents(directory))
        }
        return states
    }

    /// Makes the changes from `first` on, each tried twice.
    /// - Returns: how many are made in all.
    static func process(_ disk: SimulatedDisk, from first: Int, _ states: [Contents]) -> Int {
        var directory: Directory?
        for _ in 0..<2 where directory == nil {
            do throws(StorageError) {
                directory = try Directory(path: path, fileSystem: disk)
            } catch {
                expectPlain(error)
            }
        }
        guard let directory else { return first }
        defer { directory.close() }
        for index in first..<changeCount {
            var isDone = false
            for _ in 0..<2 where !isDone {
                do throws(StorageError) {
                    try change(index, directory)
                    isDone = true
                } catch {
                    expectPlain(error)
                    if let now = try? contents(directory) {
                        #expect(now == states[index], "a change that failed is not known")
                    }
                }
            }
            guard isDone else { return index }
            if let now = try? contents(directory) { #expect(now == states[index + 1]) }
        }
        return changeCount
    }

    static func expectPlain(_ error: StorageError) {
        #expect("\(error)".contains(path), "it names no file: \(error)")
        #expect(!error.isCorruption, "a fault is not taken for damage: \(error)")
    }

    /// - Parameter first: how many changes were made before.
    private func cover(_ name: String, on base: SimulatedDisk, from first: Int) throws {
        let states = try Self.allStates()
        let points = Anomalies(of: name, on: base, seed: propertySeed).run {
            Self.process($0, from: first, states)
        } check: { disk, done, point in
            #expect(point.leaks.isEmpty, "\(point)")
            do {
                let directory = try Directory(path: Self.path, fileSystem: disk)
                let found = try Self.contents(directory)
                directory.close()
                // One that was under way may be there, whole.
                let isWhole = found == states[done] || done < Self.changeCount && found == states[done + 1]
                #expect(isWhole, "\(point): after \(done) changes")
                let rest = found == states[done] ? done : done + 1
                #expect(Self.process(disk, from: rest, states) == Self.changeCount, "\(point)")
            } catch {
                Issue.record("\(point): \(error)")
            }
            #expect(disk.openFiles.isEmpty, "\(point)")
        }
        #expect(points > 300)
    }

    @Test func aFaultAnywhereInANewDirectory() throws {
        try cover("a new directory", on: SimulatedDisk(directories: ["/data"]), from: 0)
    }

    @Test func aFaultAnywhereWhileACrashedDirectoryIsOpened() throws {
        let base = SimulatedDisk(directories: ["/data"])
        let directory = try Directory(path: Self.path, fileSystem: base)
        for number in 0..<5 { try Self.change(number, directory) }
        base.losePower(.all)
        directory.close()
        try cover("a directory after a crash", on: base, from: 5)
    }

    @Test func aFaultAnywhereWhileADataDirectoryIsMade() throws {
        let points = Anomalies(of: "making a data directory", on: SimulatedDisk(directories: ["/srv"])).run { disk in
            (try? DataDirectory(path: "/srv/a/data", create: true, fileSystem: disk))?.close()
        } check: { disk, _, point in
            #expect(point.leaks.isEmpty, "\(point)")
            do {
                try DataDirectory(path: "/srv/a/data", create: true, fileSystem: disk).close()
                disk.losePower(.all)
                try DataDirectory(path: "/srv/a/data", create: false, fileSystem: disk).close()
            } catch {
                Issue.record("\(point): \(error)")
            }
            #expect(disk.openFiles.isEmpty, "\(point)")
        }
        #expect(points > 50)
    }
}

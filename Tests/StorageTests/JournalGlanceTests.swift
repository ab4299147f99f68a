import Glibc
import SimulatedDisk
import Storage
import Testing

/// Who only looks at a journal sees what its owner would replay, and changes nothing.
@Suite struct JournalGlanceTests {
    let disk = SimulatedDisk(directories: ["/j"])

    static func open(_ disk: SimulatedDisk) throws -> LocalJournal {
        return try LocalJournal(
            directory: "/j", fileSystem: disk, segmentBytes: 300, spares: .never, randomSalt: { 99 })
    }

    /// What the journal's owner would count.
    static func counts(_ journal: LocalJournal, beyond held: [TenantID: UInt64]) throws -> [TenantID: UInt64] {
        var counts: [TenantID: UInt64] = [:]
        for record in try journal.records() {
            let tenant = try #require(TenantID(record.tenant))
            if record.position > held[tenant] ?? 0 { counts[tenant, default: 0] += 1 }
        }
        return counts
    }

    @Test func recordsBehindEachTenantsPositionAreCounted() throws {
        let journal = try Self.open(disk)
        let glance = JournalGlance(directory: "/j", fileSystem: disk)
        #expect(try glance.records(beyond: [:]) == [:])
        for number in 0..<12 {
            _ = try journal.append(JournalTests.batch(number, records: number % 3 + 1))
            if number == 8 { try journal.trim(through: 4) }
            for position: UInt64 in [0, 5, 9, 100] {
                let held = ["tenant-0": position] as [TenantID: UInt64]
                #expect(try glance.records(beyond: held) == Self.counts(journal, beyond: held))
            }
        }
        #expect(try disk.list("/j").count > 1)
    }

    @Test func nothingIsChangedAndATornEndIsLeftOut() throws {
        let journal = try Self.open(disk)
        _ = try journal.append([("a", [1]), ("b", [2])])
        _ = try journal.append([("a", [3])])
        let path = "/j/" + (try #require(try disk.list("/j").last))
        var bytes = try #require(disk.bytes(path))
        // The last batch holds one record: a byte of it is wrong, as after a write that was cut off.
        bytes[try #require(bytes.lastIndex(of: 3))] = 9
        disk.overwrite(path, bytes)
        let found = try JournalGlance(directory: "/j", fileSystem: disk).records(beyond: [:])
        #expect(found == ["a": 1, "b": 1])
        #expect(disk.bytes(path) == bytes)
    }

    /// After a failed sync a newer segment replaces the end of the one before it.
    @Test func whatANewerSegmentReplacedIsNotCounted() throws {
        for call in 1...40 {
            let disk = SimulatedDisk(directories: ["/j"])
            let journal = try Self.open(disk)
            _ = try journal.append(JournalTests.batch(1))
            disk.fail(atCall: call, .once(errno: EIO))
            for number in 2..<8 { _ = try? journal.append(JournalTests.batch(number)) }
            disk.repair()
            _ = try journal.append(JournalTests.batch(9))
            let found = try JournalGlance(directory: "/j", fileSystem: disk).records(beyond: [:])
            #expect(try found == Self.counts(journal, beyond: [:]), "call \(call)")
        }
    }

    @Test func aDirectoryThatIsNotThereIsAnError() {
        #expect(throws: StorageError.system(operation: "list", path: "/nowhere/journal", errno: ENOENT)) {
            try JournalGlance(directory: "/nowhere/journal").records(beyond: [:])
        }
    }
}

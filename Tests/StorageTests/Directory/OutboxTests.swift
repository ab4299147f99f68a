import Ledger
import Testing

@testable import Storage

@Suite struct OutboxTests {
    private let temporary = TemporaryDirectory()
    private var path: String { temporary.path + "/directory.sqlite" }

    private func note(_ number: UInt64, _ tenant: TenantID = "acme", body: [UInt8] = [1, 2, 3]) -> DirectoryNote {
        DirectoryNote(
            id: StepID(high: 0, low: number), tenant: tenant, body: body, at: Instant(microseconds: Int64(number)))
    }

    private func tenant(_ id: TenantID) -> TenantRecord {
        TenantRecord(id: id, plan: "", displayName: "", timeZone: "UTC", createdAt: Instant(microseconds: 1))
    }

    private func key(_ id: String) -> KeyRecord {
        KeyRecord(
            keyID: id, tenant: "acme", role: "service", name: "",
            digest: KeyDigest(Array(repeating: 1, count: 31) + [UInt8(id.utf8.first ?? 0)])!,
            createdAt: Instant(microseconds: 1))
    }

    private let ann = MemberRecord(
        memberID: MemberID("ann"), role: "owner", displayName: "", createdAt: Instant(microseconds: 1))

    @Test func whatIsOwedStaysUntilItIsSettledThroughRestarts() throws {
        var directory = try Directory(path: path)
        _ = try directory.createTenant(tenant("acme"), note: note(1))
        _ = try directory.createTenant(tenant("other"), note: note(2, "other", body: []))
        try directory.createKey(key("k"), note: note(3))
        _ = try directory.revokeKey("k", at: Instant(microseconds: 9), note: note(4))
        _ = try directory.setMember(ann, of: "acme", owning: []) { _, _ in note(5) }
        _ = try directory.removeMember(ann.memberID, of: "acme", owning: []) { _ in note(6) }
        _ = try directory.updateTenant("acme") { _, _ in
            note(7)
        } change: {
            $0.plan = "x"
        }
        directory.close()
        directory = try Directory(path: path)
        #expect(directory.owedCount == 7)
        let owed = try directory.outbox()
        let expected = [note(1), note(2, "other", body: []), note(3), note(4), note(5), note(6), note(7)]
        #expect(owed.map(\.note) == expected)
        #expect(try directory.outbox(of: "other").map(\.note) == [expected[1]])
        #expect(try directory.outbox(after: owed[1].place, limit: 2).map(\.note) == [expected[2], expected[3]])
        for note in expected.prefix(5) { try directory.settle(note.id) }
        try directory.settle(expected[0].id)
        try directory.settle(StepID(high: 9, low: 9))
        #expect(directory.owedCount == 2)
        directory.close()
        directory = try Directory(path: path)
        #expect(try directory.outbox().map(\.note) == [expected[5], expected[6]])
    }

    @Test func aLaterNoteStandsBehindThoseThatWereSettled() throws {
        var directory = try Directory(path: path)
        _ = try directory.createTenant(tenant("acme"), note: note(1))
        try directory.createKey(key("k"), note: note(2))
        directory.close()
        directory = try Directory(path: path)
        let last = try #require(try directory.outbox().last)
        try directory.settle(last.note.id)
        _ = try directory.revokeKey("k", at: Instant(microseconds: 9), note: note(3))
        #expect(try directory.outbox(after: last.place).map(\.note) == [note(3)])
    }

    @Test func whatChangesNothingOwesNothing() throws {
        let directory = try Directory(path: path)
        _ = try directory.createTenant(tenant("acme"))
        try directory.createKey(key("k"))
        _ = try directory.revokeKey("k", at: Instant(microseconds: 9))
        _ = try directory.setMember(ann, of: "acme", owning: ["owner"])
        let generation = directory.generation
        _ = try directory.createTenant(tenant("acme"), note: note(1))
        _ = try directory.revokeKey("k", at: Instant(microseconds: 10), note: note(2))
        _ = try directory.revokeKey("none", at: Instant(microseconds: 10), note: note(3))
        _ = try directory.setMember(ann, of: "acme", owning: ["owner"]) { _, _ in note(4) }
        _ = try directory.removeMember(ann.memberID, of: "acme", owning: ["owner"]) { _ in note(5) }
        _ = try directory.updateTenant("acme") { _, _ in
            note(6)
        } change: {
            $0.plan = ""
        }
        #expect(try directory.outbox() == [])
        #expect(directory.generation == generation)
    }

    /// A fault of the disk in the middle of a change: neither the change nor its note is there, before and after a
    /// restart, and the next try does both.
    @Test(arguments: ["outbox", "members", "tenants", "keys"])
    func aChangeAndItsNoteAreThereBothOrNeither(table: String) throws {
        var directory = try Directory(path: path)
        _ = try directory.createTenant(tenant("acme"))
        try directory.createKey(key("k"))
        let breaks = ["INSERT", "UPDATE", "DELETE"].map {
            """
            CREATE TRIGGER break_\($0) BEFORE \($0) ON \(table) BEGIN SELECT RAISE(ABORT, 'broken'); END;
            """
        }
        try execute(breaks.joined())
        let changes: [String: (Directory, UInt64) throws -> Void] = [
            "members": { directory, number in
                _ = try directory.setMember(ann, of: "acme", owning: []) { _, _ in note(number) }
            },
            "tenants": { directory, number in
                _ = try directory.updateTenant("acme") { _, _ in
                    note(number)
                } change: {
                    $0.plan = "x"
                }
            },
            "keys": { directory, number in
                _ = try directory.revokeKey("k", at: Instant(microseconds: 9), note: note(number))
            },
        ]
        let broken = table == "outbox" ? Array(changes.values) : [changes[table]!]
        let generation = directory.generation
        for _ in 0..<2 {
            for (number, change) in broken.enumerated() {
                #expect(throws: StorageError.self) { try change(directory, UInt64(number)) }
            }
            #expect(directory.generation == generation || directory.generation == 0)
            #expect(directory.owedCount == 0)
            #expect(directory.tenant("acme") == tenant("acme"))
            #expect(directory.key("k")?.revokedAt == nil)
            #expect(directory.standing(of: ann.memberID, in: "acme") == .noMembers)
            directory.close()
            directory = try Directory(path: path)
        }
        try execute(["INSERT", "UPDATE", "DELETE"].map { "DROP TRIGGER break_\($0);" }.joined())
        for (number, change) in broken.enumerated() { try change(directory, UInt64(number)) }
        #expect(directory.owedCount == broken.count)
    }

    @Test func notesAreBounded() throws {
        let directory = try Directory(path: path)
        let long = note(1, body: Array(repeating: 0, count: 64 << 10 + 1))
        #expect(throws: StorageError.self) { try directory.createTenant(tenant("acme"), note: long) }
        #expect(directory.tenant("acme") == nil)
    }

    private func execute(_ sql: String) throws {
        try Database(path: path, .readWrite, setup: sql).close()
    }
}

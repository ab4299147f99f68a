import Glibc
import Ledger
import Testing

@testable import Storage

/// A proof finds whatever was changed by hand.
@Suite struct BookVerifierTests {
    let temporary = TemporaryDirectory()
    let path: String

    /// The bytes of a book in which every table has rows.
    static let book = Result { () throws -> [UInt8] in
        let temporary = TemporaryDirectory()
        let store = ShardStore(path: temporary.path)
        let book = GovernedBook(tenant: "acme", seed: 55, store: store)
        try book.run(steps: 700)
        #expect(!book.state.governance.limits.isEmpty && book.state.overage.held > 0 && book.state.overage.paid > 0)
        let verdict = try store.verify("acme")
        #expect(verdict.fault == nil)
        #expect(verdict.entries == UInt64(book.entries.count))
        #expect(verdict.totals == book.state.totals)
        #expect(try verdict.position == store.extent("acme")?.position)
        store.close()
        return try LocalFileSystem().open(ShardStore.file(of: "acme", in: temporary.path), .readOnly).readAll()
    }

    init() throws {
        path = temporary.path + "/acme.sqlite"
        try Self.write(try Self.book.get(), to: path)
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        let file = try LocalFileSystem().open(path, .create)
        try file.write(bytes, at: 0)
        file.close()
    }

    func verdict(after sql: String) throws -> BookVerdict {
        let copy = temporary.path + "/copy.sqlite"
        for suffix in ["", "-wal", "-shm"] { unlink(copy + suffix) }
        try Self.write(try Self.book.get(), to: copy)
        let database = try Database(
            path: copy, .readWrite, setup: "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")
        try database.execute(sql)
        database.close()
        return try BookVerifier(path: copy, tenant: "acme").verify()
    }

    @Test(arguments: [0, 1, 4_096, 20_000])
    func aFileWhoseMakingWasCutOffHasNoBookUnlessItIsListed(bytes: Int) throws {
        try Self.write(Array(try ShardSchema.template.get()[..<bytes]), to: path)
        let verdict = try BookVerifier(path: path, tenant: "acme").verify()
        #expect(verdict.fault == nil && verdict.entries == 0 && verdict.position == 0)
        #expect(try BookVerifier(path: path, tenant: "acme", listedThrough: 7).verify().fault != nil)
    }

    @Test func anUntouchedBookIsProved() throws {
        #expect(try verdict(after: "").fault == nil)
    }

    @Test(arguments: [
        ("UPDATE entries SET body = substr(body, 1, length(body) - 1) || x'7F' WHERE sequence = 20", 20),
        ("UPDATE entries SET hash = zeroblob(16) WHERE sequence = 21", 21),
        ("UPDATE entries SET hash = x'00' WHERE sequence = 22", 22),
        ("DELETE FROM entries WHERE sequence = 23", 23),
        ("DELETE FROM entries WHERE sequence = 1", 1),
        (
            """
            UPDATE entries SET sequence = -1 WHERE sequence = 30; UPDATE entries SET sequence = 30 WHERE sequence = 31;
            UPDATE entries SET sequence = 31 WHERE sequence = -1
            """, 30
        ),
    ])
    func aChangedEntryIsNamed(sql: String, entry: UInt64) throws {
        #expect(try verdict(after: sql).fault?.entry == entry)
    }

    @Test(arguments: [
        "DELETE FROM entries WHERE sequence = (SELECT max(sequence) FROM entries)",
        "UPDATE grants SET available = available + 1 WHERE number = 1",
        "UPDATE grants SET comment = 'other' WHERE number = 2",
        "UPDATE grants SET expires_at = coalesce(expires_at, 0) + 1 WHERE number = 1",
        "DELETE FROM grants WHERE number = (SELECT max(number) FROM grants)",
        "INSERT INTO grants SELECT number + 1, id, kind, origin, created_at, expires_at, revoked_at, comment, 0, 0, 0, 0, 0, "
            + "0, 0 FROM grants ORDER BY number DESC LIMIT 1",
        "UPDATE grants SET origin = 1 WHERE origin = 4",
        "UPDATE grants SET origin = 99 WHERE number = 1",
        "UPDATE grants SET revoked_at = revoked_at + 1 WHERE revoked_at IS NOT NULL",
        "UPDATE grants SET revoked_at = NULL WHERE revoked_at IS NOT NULL",
        "UPDATE grants SET revoked_at = 1 WHERE number = (SELECT max(number) FROM grants WHERE revoked_at IS NULL)",
        "UPDATE grants SET paid = paid + 1, available = available - 1 WHERE number = (SELECT max(number) FROM grants)",
        "UPDATE grants SET paid = 0 WHERE paid > 0",
        "UPDATE meta SET available = available + 1, held = held - 1",
        "UPDATE meta SET sequence = sequence - 1",
        "UPDATE meta SET at = at + 1",
        "UPDATE meta SET head = zeroblob(16)",
        "UPDATE meta SET newest_id = zeroblob(16)",
        "UPDATE meta SET tenant = 'other'",
        "UPDATE meta SET overage_held = overage_held + 1",
        "UPDATE meta SET overage_consumed = overage_consumed + 1, overage_paid = overage_paid + 1",
        "UPDATE meta SET overage_paid = 0",
        "UPDATE meta SET format = 1",
        "DELETE FROM meta",
        "UPDATE usage SET micros = micros + 1 WHERE quarter_hour = (SELECT min(quarter_hour) FROM usage)",
        "UPDATE usage SET calls = calls + 1 WHERE quarter_hour = (SELECT max(quarter_hour) FROM usage)",
        "DELETE FROM usage WHERE quarter_hour = (SELECT min(quarter_hour) FROM usage)",
        "INSERT INTO usage VALUES (1, 0, 0)",
        "UPDATE uses SET micros = micros + 1 WHERE actor = 'user-1'",
        "UPDATE uses SET calls = calls - 1 WHERE actor = 'user-1'",
        "UPDATE uses SET actor = 'user-9' WHERE actor = 'user-1'",
        "UPDATE uses SET quarter_hour = quarter_hour + 1 WHERE quarter_hour = (SELECT max(quarter_hour) FROM uses)",
        "DELETE FROM uses WHERE actor = 'user-2'",
        "INSERT INTO uses VALUES (1, 'x', 'y', 0, 0)",
        "INSERT INTO uses SELECT max(quarter_hour), 'x', 'y', 0, 0 FROM uses",
        "DELETE FROM governance",
        "UPDATE governance SET body = x'02'",
        "UPDATE governance SET body = x''",
        "UPDATE governance SET body = body || x'00'",
        "DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)",
        "UPDATE audit SET at = at + 1 WHERE sequence = (SELECT max(sequence) FROM audit)",
        "UPDATE audit SET sequence = sequence + 1 WHERE sequence = (SELECT max(sequence) FROM audit)",
        "INSERT INTO audit SELECT min(sequence), 0 FROM entries WHERE sequence NOT IN (SELECT sequence FROM audit)",
        "INSERT INTO audit VALUES (99999999, 0)",
        "DELETE FROM reservations WHERE opened = (SELECT max(opened) FROM reservations)",
        "INSERT INTO reservations VALUES (zeroblob(16), 1, NULL, NULL)",
        "INSERT INTO reservations VALUES (zeroblob(16), 1, 1, NULL)",
        "UPDATE reservations SET opened = opened + 1 WHERE opened = (SELECT max(opened) FROM reservations)",
        "UPDATE reservations SET closed = NULL WHERE closed = (SELECT max(closed) FROM reservations)",
        "UPDATE reservations SET closed = closed + 1 WHERE closed = (SELECT max(closed) FROM reservations)",
        "UPDATE reservations SET last = coalesce(last, closed, opened) + 1 WHERE opened = (SELECT max(opened) FROM reservations)",
        "DELETE FROM steps WHERE sequence = (SELECT max(sequence) FROM steps)",
        "UPDATE steps SET sequence = sequence + 1 WHERE sequence = (SELECT max(sequence) FROM steps)",
        "INSERT INTO steps VALUES (6, zeroblob(16), 1)",
        "DELETE FROM prices",
        "UPDATE prices SET sequence = sequence + 1",
        "INSERT INTO prices VALUES (99, 1)",
        "UPDATE refusals SET at = at + 1",
        "DROP TABLE usage",
    ])
    func aProjectionThatDiffersIsFound(sql: String) throws {
        #expect(try verdict(after: sql).fault != nil)
    }

    @Test func aBookThatWasChainedAnewIsFoundByItsNumbers() throws {
        let source = try Database(path: path, .readOnly, setup: "")
        var bodies: [[UInt8]] = []
        try source.statement("SELECT body FROM entries ORDER BY sequence").rows { (row) throws(StorageError) in
            bodies.append(Array(row.blob(0)))
            return true
        }
        source.close()
        let index = try #require(
            bodies.firstIndex { body in
                (try? body.withUnsafeBytes { try EntryCodec.decode($0) })?.kind == .grant
            })
        var entry = try bodies[index].withUnsafeBytes { try EntryCodec.decode($0) }
        guard case .grant(var grant) = entry.detail else { return }
        grant.amount += 1_000
        grant.available += 1_000
        entry.amount += 1_000
        entry.detail = .grant(grant)
        bodies[index] = []
        EntryCodec.encode(entry, into: &bodies[index])
        var head = HashChain.origin(of: "acme")
        var sql = ""
        for (index, body) in bodies.enumerated() {
            head = body.withUnsafeBytes { HashChain.link(head, $0) }
            sql +=
                "UPDATE entries SET body = x'\(hex(body))', hash = x'\(hex(head.bytes))' WHERE sequence = \(index + 1);"
        }
        sql += "UPDATE meta SET head = x'\(hex(head.bytes))'"
        let fault = try #require(try verdict(after: sql).fault)
        #expect(fault.entry == UInt64(index + 1))
        #expect(fault.description.contains("contradicts"))
    }

    @Test func theBookOfAnotherTenantIsNotTaken() throws {
        #expect(try BookVerifier(path: path, tenant: "other").verify().fault != nil)
        #expect(throws: StorageError.self) { try BookVerifier(path: path + "x", tenant: "acme").verify() }
    }

    @Test func aLiveBookIsProvedWhileItIsWritten() throws {
        let store = ShardStore(path: temporary.path)
        var book = BookDriver(tenant: "live", seed: 1)
        for _ in 0..<10 {
            try book.run(steps: 30, into: store)
            let verdict = try BookVerifier(path: ShardStore.file(of: "live", in: temporary.path), tenant: "live")
                .verify()
            #expect(verdict.fault == nil)
            #expect(verdict.entries == UInt64(book.entries.count))
        }
    }
}

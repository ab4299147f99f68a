import Ledger
import Testing

@testable import Storage

/// A flush of many rows, which are written with one statement, does what small flushes do.
@Suite struct ManyRowsTests {
    let temporary = TemporaryDirectory()

    private static let tables = ["entries", "reservations", "steps", "grants", "usage", "uses", "audit", "prices"]

    private func withShard<Result>(
        _ tenant: TenantID, _ body: (Database) throws(StorageError) -> Result
    ) throws -> Result {
        let database = try Database(
            path: ShardStore.file(of: tenant, in: temporary.path), .readWrite, setup: ShardSchema.setup())
        defer { database.close() }
        return try body(database)
    }

    /// All rows of all tables, as SQL has them.
    private func rows(of tenant: TenantID) throws -> [String] {
        try withShard(tenant) { (database) throws(StorageError) in
            var rows: [String] = []
            for table in Self.tables {
                let names = try database.statement(
                    "SELECT group_concat('quote(' || name || ')', ' || '','' || ') FROM pragma_table_info('\(table)')"
                ).first { $0.text(0) }
                try database.statement("SELECT \(names ?? "") FROM \(table)").rows { (row) throws(StorageError) in
                    rows.append(table + " " + row.text(0))
                    return true
                }
            }
            return rows.sorted()
        }
    }

    @Test(arguments: ShardTests.seeds)
    func oneFlushWritesTheRowsThatManySmallOnesWrite(seed: UInt64) throws {
        let store = ShardStore(path: temporary.path)
        var book = BookDriver(tenant: "acme", seed: seed)
        for _ in 0..<1_500 { book.step(book.randomCommand()) }
        let entries = book.takePending().filter { $0.kind != .refusal }
        try store.apply("acme", entries: entries, through: 1)
        try store.settle()
        let atOnce = try rows(of: "acme")
        #expect(try store.verify("acme").fault == nil)
        try store.delete("acme")

        for start in stride(from: 0, to: entries.count, by: StorageLimits.manyRows - 1) {
            let end = min(entries.count, start + StorageLimits.manyRows - 1)
            try store.apply("acme", entries: Array(entries[start..<end]), through: UInt64(end))
        }
        try store.settle()
        #expect(try rows(of: "acme") == atOnce, "TOLLGATE_SEED=\(seed)")
    }

    /// Rows that were written before the one that cannot be are undone with it.
    @Test(arguments: ["reservations", "entries"])
    func aRowThatIsThereAlreadyUndoesTheWholeFlush(table: String) throws {
        let store = ShardStore(path: temporary.path)
        var book = BookDriver(tenant: "acme", seed: 3)
        for _ in 0..<50 { book.step(book.randomCommand()) }
        try store.apply("acme", entries: book.takePending(), through: 1)
        try store.settle()
        for _ in 0..<1_500 { book.step(book.randomCommand()) }
        let entries = book.takePending()
        let last = try #require(entries.last { if case .opening = $0.detail { true } else { false } })
        try withShard("acme") { (database) throws(StorageError) in
            if table == "entries" {
                try database.statement("INSERT INTO entries VALUES (?, x'00', x'00')").run { $0.integer(last.sequence) }
            } else {
                try database.statement("INSERT INTO reservations VALUES (?, 1, 1, NULL)").run {
                    $0.id(last.reservation)
                }
            }
        }
        let before = try rows(of: "acme")
        #expect {
            try store.apply("acme", entries: entries, through: 2)
        } throws: { error in
            if case .sqlite(let code, _, _, _) = error as? StorageError { code & 0xFF == 19 } else { false }
        }
        store.close()
        #expect(try rows(of: "acme") == before)
    }
}

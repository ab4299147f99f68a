import Ledger
import Testing

@testable import Storage

/// What governs a book, its audit trail and its use, written in random runs, are in the shard what they are in memory.
@Suite struct GovernedShardTests {
    let temporary = TemporaryDirectory()

    static let seeds = propertySeeds(0..<6)

    private func book(_ seed: UInt64) -> GovernedBook {
        GovernedBook(tenant: "acme", seed: seed, store: ShardStore(path: temporary.path))
    }

    /// A restored book as the one in memory, but for buckets in which nothing was used on the whole.
    private func expectSame(_ book: GovernedBook) throws {
        let loaded = try #require(try book.store.load(book.tenant))
        try loaded.snapshot.check()
        var stored = LedgerState(restoring: loaded.snapshot).snapshot()
        var memory = book.state.snapshot()
        stored.usage.removeAll { $0.consumed == 0 }
        memory.usage.removeAll { $0.consumed == 0 }
        #expect(stored == memory)
    }

    /// - Parameter span: how many entries pass before the proof lets go of what is closed.
    private func expectProved(_ book: GovernedBook, forgettingEvery span: UInt64) throws {
        var verifier = BookVerifier(path: ShardStore.file(of: "acme", in: temporary.path), tenant: "acme")
        verifier.entriesBetweenForgetting = span
        let verdict = try verifier.verify()
        #expect(verdict.fault == nil)
        #expect(verdict.entries == book.state.sequence && verdict.totals == book.state.totals)
    }

    @Test(arguments: seeds)
    func aGovernedBookIsLoadedAsItIsInMemoryAndProved(seed: UInt64) throws {
        print("TOLLGATE_SEED=\(seed)")
        let book = book(seed)
        for _ in 0..<12 {
            try book.run(steps: 150)
            try expectSame(book)
            if book.chance(30) { try book.restart() }
            try expectProved(book, forgettingEvery: UInt64(book.number(1...200)))
        }
    }

    @Test(arguments: seeds)
    func theSameRecordsInOtherRunsMakeTheSameShard(seed: UInt64) throws {
        print("TOLLGATE_SEED=\(seed)")
        let book = book(seed)
        try book.run(steps: 600)
        let folder = TemporaryDirectory()
        let other = ShardStore(path: folder.path)
        var run = RecordRun()
        for (index, record) in book.records.enumerated() {
            run.append(contentsOf: RecordRun(record, at: UInt64(index + 1)))
            guard seed % 2 == 0, book.chance(10) else { continue }
            try other.apply("acme", run)
            run = RecordRun()
        }
        if !run.isEmpty { try other.apply("acme", run) }
        let (here, there) = (
            try dump(ShardStore.file(of: "acme", in: temporary.path)),
            try dump(ShardStore.file(of: "acme", in: folder.path))
        )
        // How long a refusal stays depends on when others came.
        for (table, rows) in here where table != "refusals" {
            #expect(rows.allSatisfy { !$0.isEmpty })
            #expect(rows == there[table], "\(table), TOLLGATE_SEED=\(seed)")
        }
    }

    /// All rows of all tables.
    private func dump(_ path: String) throws -> [String: [[[UInt8]]]] {
        let database = try Database(path: path, .readOnly, setup: ShardSchema.readOnlySetup)
        defer { database.close() }
        var tables: [(name: String, columns: Int32)] = []
        let sql = """
            SELECT t.name, (SELECT count(*) FROM pragma_table_info(t.name)) FROM sqlite_schema AS t WHERE type = 'table'
            """
        try database.statement(sql).rows { (row) throws(StorageError) in
            tables.append((row.text(0), Int32(row.integer(1))))
            return true
        }
        var dump: [String: [[[UInt8]]]] = [:]
        for table in tables {
            try database.statement("SELECT * FROM \(table.name)").rows { (row) throws(StorageError) in
                dump[table.name, default: []].append((0..<table.columns).map { Array(row.blob($0)) })
                return true
            }
        }
        return dump
    }

    @Test func theRandomBooksMeetEverythingThatTheyAreFor() throws {
        var kinds: Set<EntryKind> = []
        var origins: Set<GrantOrigin> = []
        var seen: Set<String> = []
        for seed in UInt64(50)..<62 {
            let book = book(seed)
            try book.run(steps: 700)
            for entry in book.entries {
                kinds.insert(entry.kind)
                if case .grant(let grant) = entry.detail {
                    origins.insert(grant.origin)
                    if !entry.moves.isEmpty { seen.insert("a grant that pays") }
                }
                for move in entry.moves where move.grant == Move.overageNumber {
                    seen.insert(move.held > 0 ? "overage held" : "overage moved")
                    if entry.kind == .refund { seen.insert("overage refunded") }
                }
                if entry.moves.contains(where: { $0.paid < 0 }) { seen.insert("what paid goes back") }
                if let audit = entry.audit { seen.insert("\(audit.outcome)") }
            }
            if book.refusals > 0 { seen.insert("refusal") }
            if book.state.grants.contains(where: { $0.revokedAt != nil && $0.consumed > 0 }) { seen.insert("revoked") }
            if book.state.governance.limits.items.contains(where: { $0.consumed > 0 }) { seen.insert("counted") }
            try book.store.delete("acme")
        }
        #expect(kinds == Set(EntryKind.allCases).subtracting([.refusal]))
        #expect(origins == Set(GrantOrigin.allCases))
        #expect(
            seen == [
                "a grant that pays", "overage held", "overage moved", "overage refunded", "what paid goes back", "done",
                "refused", "wouldRefuse", "refusal", "revoked", "counted",
            ])
    }
}

import Ledger
import Testing

@testable import Storage

/// What is asked of a shard about a governed book is what its entries say, looked through from end to end.
@Suite struct GovernedReportTests {
    let temporary = TemporaryDirectory()

    static let seeds = propertySeeds(0..<4)

    private func book(_ seed: UInt64, steps: Int) throws -> GovernedBook {
        print("TOLLGATE_SEED=\(seed)")
        let book = GovernedBook(tenant: "acme", seed: seed, store: ShardStore(path: temporary.path))
        try book.run(steps: steps)
        return book
    }

    private func allPages(_ book: GovernedBook, _ query: AuditQuery) throws -> [Entry] {
        var query = query
        var found: [Entry] = []
        repeat {
            let page = try book.store.audit(book.tenant, query: query)
            #expect(page.entries.count <= query.limit)
            found += page.entries
            query.before = page.next
        } while query.before != nil
        return found
    }

    @Test(arguments: seeds)
    func theAuditTrailIsTheEntriesWithANoteNewestFirst(seed: UInt64) throws {
        let book = try book(seed, steps: 700)
        let audited = book.entries.filter { $0.audit != nil }
        let early = audited[audited.count / 3].at
        let late = audited[audited.count * 2 / 3].at
        let queries: [(AuditQuery, (Entry) -> Bool)] = [
            (AuditQuery(limit: 7), { _ in true }),
            (AuditQuery(from: early, limit: 40), { $0.at >= early }),
            (AuditQuery(to: late, limit: 1), { $0.at < late }),
            (AuditQuery(from: early, to: late, limit: 1_000), { $0.at >= early && $0.at < late }),
            (AuditQuery(from: late, to: late, limit: 5), { _ in false }),
            (AuditQuery(actor: "user-2", limit: 3), { $0.audit?.origin.actor == "user-2" }),
            (AuditQuery(from: early, actor: "", limit: 9), { $0.at >= early && $0.audit?.origin.actor == "" }),
            (AuditQuery(actor: "nobody", limit: 9), { _ in false }),
        ]
        for (query, isWanted) in queries {
            #expect(try allPages(book, query) == audited.reversed().filter(isWanted), "TOLLGATE_SEED=\(seed) \(query)")
        }
        #expect(try book.store.audit("nobody", query: AuditQuery(limit: 5)).entries.isEmpty)
    }

    @Test func aLongAuditTrailIsLookedThroughInParts() throws {
        let store = ShardStore(path: temporary.path)
        let note = AuditNote(origin: CallOrigin(keyID: "k", actor: "rare"), method: "m")
        let other = AuditNote(origin: CallOrigin(keyID: "k", actor: "often"), method: "m")
        let count = UInt64(StorageLimits.maxScannedRows) + 10
        let entries = (1...count).map { sequence in
            Entry(
                sequence: sequence, at: Instant(microseconds: Int64(sequence)), kind: .note,
                after: BalanceAfter(available: 0, held: 0), audit: sequence == 1 ? note : other)
        }
        try store.apply("acme", RecordRun(entries, at: 1))
        let first = try store.audit("acme", query: AuditQuery(actor: "rare", limit: 5))
        #expect(first.entries.isEmpty && first.next != nil)
        let second = try store.audit("acme", query: AuditQuery(before: first.next, actor: "rare", limit: 5))
        #expect(second.entries == [entries[0]] && second.next == nil)
    }

    /// What was used from a quarter of an hour on: one quarter after the other, and never less than nothing after any.
    private func used(_ book: GovernedBook, _ new: LedgerState.NewLimit) -> Int64 {
        let first = UsageBucket.quarterHour(of: new.since)
        var nets: [Int64: Int64] = [:]
        for entry in book.entries where UsageBucket.quarterHour(of: entry.at) >= first {
            guard let terms = book.terms[entry.reservation] else { continue }
            let limit = new.limit
            let isMeant =
                switch limit.scope {
                case .tenant: true
                case .feature: terms.feature == limit.feature
                case .member: terms.actor == limit.member
                case .memberFeature: terms.feature == limit.feature && terms.actor == limit.member
                }
            guard isMeant else { continue }
            nets[UsageBucket.quarterHour(of: entry.at), default: 0] += entry.moves.reduce(0) { $0 + $1.consumed }
        }
        return nets.sorted { $0.key < $1.key }.reduce(0) { max(0, $0 + $1.value) }
    }

    @Test(arguments: seeds)
    func whatLimitsCountIsWhatTheEntriesUsed(seed: UInt64) throws {
        let book = try book(seed, steps: 600)
        let first = try #require(book.entries.first).at
        for _ in 0..<30 {
            let new = book.limits().map { limit in
                let age = book.number(0...(book.now.microseconds - first.microseconds) * 5 / 4)
                return LedgerState.NewLimit(limit: limit, since: book.now.advanced(microseconds: -age))
            }
            let (uses, through) = try book.store.use("acme", of: new)
            #expect(uses.map(\.used) == new.map { self.used(book, $0) }, "TOLLGATE_SEED=\(seed)")
            #expect(through == book.state.sequence)
        }
        let nothing = try book.store.use(
            "nobody", of: [.init(limit: .init(scope: .tenant, window: .day), since: .zero)])
        #expect(nothing.uses == [LimitUse()] && nothing.through == 0)
        #expect(try book.store.use("acme", of: []).uses.isEmpty)
    }
}

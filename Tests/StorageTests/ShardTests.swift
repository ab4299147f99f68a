import Glibc
import Ledger
import Locks
import SeededRandom
import Testing

@testable import Storage

/// What the shard says of a book is what the book is.
@Suite struct ShardTests {
    let temporary = TemporaryDirectory()

    func store(openShards: Int = 4) -> ShardStore {
        ShardStore(path: temporary.path, bounds: ShardBounds(openShards: openShards))
    }

    static let seeds = propertySeeds(0..<4)

    @Test(arguments: seeds)
    func aLoadedBookIsTheBookInMemory(seed: UInt64) throws {
        var book = BookDriver(tenant: "acme", seed: seed)
        var store = store()
        #expect(try store.load("acme") == nil)
        for _ in 0..<8 {
            try book.run(steps: 150, into: store)
            if seed % 2 == 0 {
                try store.settle()
                store = self.store()
            }
            let loaded = try #require(try store.load("acme"))
            #expect(normal(loaded.snapshot) == normal(book.state.snapshot()), "TOLLGATE_SEED=\(seed)")
            #expect(try store.extent("acme")?.position == loaded.position)
        }
    }

    /// Without what may differ: the order of open reservations, and buckets in which nothing was used on the whole.
    func normal(_ snapshot: BookSnapshot) -> BookSnapshot {
        var snapshot = snapshot
        snapshot.openReservations.sort { $0.id < $1.id }
        snapshot.usage.removeAll { $0.consumed == 0 }
        return snapshot
    }

    /// A flush in short turns lets others go every few rows, and no longer once it is urgent; the book is the same.
    @Test func aFlushTakesShortTurnsUntilItIsUrgent() throws {
        var book = BookDriver(tenant: "acme", seed: 1)
        let store = store()
        let ended = Protected(0)
        var position: UInt64 = 0
        let turns = ShortTurns { ended.withLock { $0 += 1 } }
        func flush() throws {
            for _ in 0..<600 { book.step(book.randomCommand()) }
            // A record for each entry.
            var run = RecordRun()
            for entry in book.takePending() {
                position += 1
                run.append(contentsOf: RecordRun([entry], at: position))
            }
            try store.apply("acme", run, in: turns)
        }
        turns.take()
        try flush()
        let inShortTurns = ended.withLock { $0 }
        #expect(inShortTurns > 2)
        turns.makeLong()
        try flush()
        #expect(ended.withLock { $0 } == inShortTurns)
        #expect(normal(try #require(try store.load("acme")).snapshot) == normal(book.state.snapshot()))
    }

    @Test(arguments: seeds)
    func everyStepAndReservationIsRecalledToTheLetter(seed: UInt64) throws {
        var book = BookDriver(tenant: "acme", seed: seed)
        let store = store()
        try book.run(steps: 1_000, into: store)
        for (key, step) in book.steps {
            #expect(try store.recall("acme", Recall(step: key)).step == step, "TOLLGATE_SEED=\(seed) \(key)")
        }
        for id in book.reservations {
            let found = try store.recall("acme", Recall(reservation: id)).reservation
            #expect(found == book.state.reservation(id), "TOLLGATE_SEED=\(seed)")
        }
        let unknown = book.newID()
        for family in StepFamily.allCases {
            let key = StepKey(family: family, id: unknown)
            #expect(try store.recall("acme", Recall(step: key, reservation: unknown)).step == nil)
        }
        #expect(try store.recall("nobody", Recall(reservation: unknown)).reservation == nil)
    }

    @Test(arguments: seeds)
    func transactionsAreTheEntriesNewestFirst(seed: UInt64) throws {
        var book = BookDriver(tenant: "acme", seed: seed)
        let store = store()
        try book.run(steps: 600, into: store)
        let middle = book.entries[book.entries.count / 3].at
        let late = book.entries[book.entries.count * 2 / 3].at
        let terms = Dictionary(
            uniqueKeysWithValues: book.entries.compactMap { entry -> (StepID, ReservationTerms)? in
                guard case .opening(let terms, _) = entry.detail else { return nil }
                return (entry.reservation, terms)
            })
        let queries: [(TransactionQuery, (Entry) -> Bool)] = [
            (TransactionQuery(limit: 7), { _ in true }),
            (TransactionQuery(from: middle, limit: 50), { $0.at >= middle }),
            (TransactionQuery(to: late, limit: 1), { $0.at < late }),
            (TransactionQuery(from: middle, to: late, limit: 1_000), { $0.at >= middle && $0.at < late }),
            (TransactionQuery(actor: "user-2", limit: 3), { terms[$0.reservation]?.actor == "user-2" }),
            (TransactionQuery(actor: "admin", limit: 3), { $0.kind == .grant }),
            (TransactionQuery(feature: "chat", limit: 9), { terms[$0.reservation]?.feature == "chat" }),
            (TransactionQuery(feature: "none", limit: 9), { _ in false }),
            (TransactionQuery(kinds: [.refund, .charge], limit: 4), { $0.kind == .refund || $0.kind == .charge }),
        ]
        for (query, isWanted) in queries {
            var query = query
            var found: [StoredEntry] = []
            repeat {
                let page = try store.transactions("acme", query: query)
                #expect(page.entries.count <= query.limit)
                found += page.entries
                query.before = page.next
            } while query.before != nil
            #expect(found.map(\.entry) == book.entries.reversed().filter(isWanted), "TOLLGATE_SEED=\(seed)")
            #expect(found.allSatisfy { $0.terms == terms[$0.entry.reservation] && $0.hash.count == 16 })
        }
        #expect(try store.transactions("nobody", query: TransactionQuery(limit: 5)).entries.isEmpty)
    }

    @Test(arguments: seeds)
    func reservationsAreListedByStateInPages(seed: UInt64) throws {
        var book = BookDriver(tenant: "acme", seed: seed)
        let store = store()
        try book.run(steps: 400, into: store)
        for state in [nil, .open, .committed, .released, .expired] as [ReservationState?] {
            var query = ReservationQuery(state: state, limit: 6)
            var found: [Reservation] = []
            repeat {
                let page = try store.reservations("acme", query: query)
                found += page.reservations
                query.before = page.next
            } while query.before != nil
            var expected: [Reservation] = []
            for id in book.entries.reversed().filter({ $0.kind == .reserve || $0.kind == .charge }).map(\.reservation) {
                let known = book.state.reservation(id)
                let reservation = try #require(known)
                if state == nil || reservation.progress.state == state { expected.append(reservation) }
            }
            #expect(found == expected, "TOLLGATE_SEED=\(seed)")
        }
    }

    @Test func refusalsAreForgottenAfterTwoDays() throws {
        var book = BookDriver(tenant: "acme", seed: 3)
        let store = store()
        let id = book.newID()
        book.step(.charge(ReserveCommand(id: id, fingerprint: 1, ask: .amount(1))))
        try book.flush(into: store)
        let recall = Recall(step: StepKey(family: .opening, id: id))
        #expect(try store.recall("acme", recall).step != nil)
        for (hours, isThere) in [(47, true), (2, false)] as [(Int64, Bool)] {
            book.now.microseconds += hours * 3600 * 1_000_000
            // Old refusals go when new ones come.
            book.step(.charge(ReserveCommand(id: book.newID(), fingerprint: 1, ask: .amount(1))))
            try book.flush(into: store)
            #expect((try store.recall("acme", recall).step != nil) == isThere)
        }
        #expect(try store.load("acme")?.snapshot.newestTimeOrderedID ?? .zero >= id || !id.isTimeOrdered)
    }

    @Test func whatTheShardHoldsAlreadyIsNotTakenAgain() throws {
        var book = BookDriver(tenant: "acme", seed: 5)
        let store = store()
        try book.run(steps: 50, into: store)
        let before = try #require(try store.load("acme"))
        #expect(throws: StorageError.self) {
            try store.apply("acme", entries: [], through: before.position)
        }
        #expect(throws: StorageError.self) {
            try store.apply("acme", entries: [book.entries[3]], through: before.position + 1)
        }
        var wrong = book.entries.last!
        wrong.sequence += 1
        wrong.after.available += 1
        #expect(throws: StorageError.self) {
            try store.apply("acme", entries: [wrong], through: before.position + 1)
        }
        #expect(try store.load("acme")?.snapshot == before.snapshot)
        #expect(try store.verify("acme").fault == nil)
    }

    @Test func fewShardsAreOpenHoweverManyTenantsThereAre() throws {
        let store = store(openShards: 2)
        for round in 0..<3 {
            for number in 0..<9 {
                let tenant = TenantID("tenant-\(number)" as String)!
                var book = BookDriver(tenant: tenant, seed: UInt64(number))
                book.step(.grant(GrantCommand(id: book.newID(), fingerprint: 1, kind: .gifted, amountMicros: 5)))
                if round == 0 { try book.flush(into: store) }
                #expect(try store.load(tenant)?.snapshot.totals.granted == 5)
                #expect(store.openCount <= 2)
            }
        }
        #expect(try store.tenants().count == 9)
        try store.delete("tenant-3")
        #expect(try store.tenants().count == 8)
        #expect(try store.load("tenant-3") == nil)
        store.close()
        #expect(store.openCount == 0)
    }

    @Test func placesAreGivenUpWhereTooManyTenantsTakeTurns() throws {
        let store = store(openShards: 8)
        let tenants = (0..<200).map { TenantID("tenant-\($0)" as String)! }
        for (number, tenant) in tenants.enumerated() {
            var book = BookDriver(tenant: tenant, seed: UInt64(number))
            book.step(.grant(GrantCommand(id: book.newID(), fingerprint: 1, kind: .gifted, amountMicros: 5)))
            try book.flush(into: store)
            if number < 16 { #expect(store.openCount == min(number + 1, 8)) }
        }
        for _ in 0..<4 { for tenant in tenants { _ = try store.load(tenant) } }
        #expect(store.openCount == 1)
        // Fewer tenants than places find them again.
        for _ in 0..<200 { for tenant in tenants.prefix(6) { _ = try store.load(tenant) } }
        #expect(store.openCount == 6)
    }

    @Test func manyThreadsWorkOnManyTenants() async throws {
        let store = store(openShards: 3)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<12 {
                group.addTask {
                    let tenant = TenantID("tenant-\(number)" as String)!
                    var book = BookDriver(tenant: tenant, seed: UInt64(number))
                    for _ in 0..<5 {
                        try book.run(steps: 40, into: store, maxFlush: 8)
                        for error in store.makeDurable([tenant]).values { throw error }
                        let loaded = try store.load(tenant)
                        #expect(loaded?.snapshot.totals == book.state.totals)
                    }
                }
            }
            try await group.waitForAll()
        }
        for tenant in try store.tenants() { #expect(try store.verify(tenant).fault == nil) }
    }
}

/// Disks that fail, and files that are not what they were.
@Suite struct ShardFaultTests {
    let temporary = TemporaryDirectory()

    @Test func aFullDiskTakesNothingOfARunAndAllOfItLater() throws {
        let path = temporary.path + "/acme.sqlite"
        try Shard.make(path: path, LocalFileSystem())
        let shard = try Shard(tenant: "acme", path: path)
        var book = BookDriver(tenant: "acme", seed: 9)
        try shard.database.execute("PRAGMA max_page_count = 40")
        var position: UInt64 = 0
        var isFull = false
        while !isFull {
            for _ in 0..<100 { book.step(book.randomCommand()) }
            let entries = book.takePending()
            position += 1
            let before = shard.meta
            do throws(StorageError) {
                try shard.apply(entries, through: position)
            } catch {
                #expect(error.isDiskFull)
                #expect("\(error)".contains("make room"))
                isFull = true
                #expect(shard.meta == before)
                #expect(try ShardMeta.read(from: shard.database, tenant: "acme") == before)
                try shard.database.execute("PRAGMA max_page_count = 100000")
                try shard.apply(entries, through: position)
            }
        }
        #expect(try shard.load().snapshot.totals == book.state.totals)
        shard.close()
        #expect(try BookVerifier(path: path, tenant: "acme").verify().fault == nil)
    }

    @Test(arguments: propertySeeds(0..<2))
    func aFileWithBentBytesIsAnErrorAndNeverACrash(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let store = ShardStore(path: temporary.path)
        let book = GovernedBook(tenant: "acme", seed: seed, store: store)
        try book.run(steps: 400)
        try store.settle()
        let path = ShardStore.file(of: "acme", in: temporary.path)
        let whole = try LocalFileSystem().open(path, .readOnly).readAll()
        var found = 0
        for _ in 0..<150 {
            var bent = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bent[Int(random.next() % UInt64(bent.count))] ^= 1 << UInt8(random.next() % 8)
            }
            for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
            let file = try LocalFileSystem().open(path, .create)
            try file.write(bent, at: 0)
            file.close()
            let damaged = ShardStore(path: temporary.path)
            do {
                if try damaged.verify("acme").fault != nil { found += 1 }
            } catch {
                found += 1
            }
            _ = try? damaged.load("acme")
            for id in book.terms.keys.prefix(20) { _ = try? damaged.recall("acme", Recall(reservation: id)) }
            _ = try? damaged.transactions("acme", query: TransactionQuery(limit: 100))
            _ = try? damaged.audit("acme", query: AuditQuery(limit: 100))
            _ = try? damaged.use("acme", of: book.limits().map { .init(limit: $0, since: .zero) })
            damaged.close()
        }
        #expect(found > 75, "most bits of a shard mean something; TOLLGATE_SEED=\(seed)")
    }

    @Test func aBookOfAnotherFormatIsNamedAsThat() throws {
        let path = temporary.path + "/old.sqlite"
        let database = try Database(path: path, .create, setup: "")
        // The meta row of format 1 knew nothing of overage.
        let old = ShardSchema.create.split(separator: "\n").filter { !$0.contains("overage") }.joined(separator: "\n")
        try database.execute(old)
        try database.execute(
            "INSERT INTO meta VALUES (1, 1, 'acme', 1, 0, zeroblob(16), 0, 0, 0, 0, 0, 0, zeroblob(16), 0)")
        for file in [database, try Database(path: path, .readOnly, setup: ShardSchema.readOnlySetup)] {
            #expect {
                try ShardMeta.read(from: file, tenant: "acme")
            } throws: { error in
                "\(error)".contains("its format is 1, which this build does not know")
            }
        }
    }

    @Test func whatGovernsABookTakesNoRowWhileNothingIsSet() throws {
        let path = temporary.path + "/acme.sqlite"
        try Shard.make(path: path, LocalFileSystem())
        let shard = try Shard(tenant: "acme", path: path)
        func rows() throws -> Int64? {
            try shard.database.statement("SELECT count(*) FROM governance").first { $0.integer(0) }
        }
        var position: UInt64 = 0
        func set(zone: String) throws {
            position += 1
            let change = GovernanceChange.subscription(nil, zone: zone, hasSignedUp: false, hasTried: false)
            let entry = Entry(
                sequence: position, at: .zero, kind: .subscription, after: BalanceAfter(available: 0, held: 0),
                detail: .change(change))
            try shard.apply([entry], through: position)
        }
        try set(zone: "UTC")
        #expect(try rows() == 0)
        try set(zone: "Europe/Berlin")
        #expect(try rows() == 1)
        #expect(try ShardMeta.read(from: shard.database, tenant: "acme") == shard.meta)
        try set(zone: "UTC")
        #expect(try rows() == 0)
        shard.close()
        #expect(try BookVerifier(path: path, tenant: "acme").verify().fault == nil)
    }

    @Test func aFileThatIsNoBookIsNamed() throws {
        let tenant: TenantID = "acme"
        let path = ShardStore.file(of: tenant, in: temporary.path)
        try LocalFileSystem().makeDirectory(temporary.path + "/" + tenant.folder)
        let store = ShardStore(path: temporary.path)
        var book = BookDriver(tenant: tenant, seed: 4)
        try book.run(steps: 20, into: store)
        try store.settle()
        let file = try LocalFileSystem().open(path, .create)
        try file.write(Array(repeating: 0x41, count: 8_192), at: 0)
        #expect { try store.load(tenant) } throws: { error in
            (error as? StorageError)?.isCorruption == true && "\(error)".contains(path)
        }
        #expect(try store.verify(tenant).fault != nil)
    }
}

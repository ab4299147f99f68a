import Ledger
import SeededRandom
import Testing

@testable import Storage

/// A backup has what the books had, whatever the server was at, and gives it back.
@Suite struct BackupTests {
    static let tenants: [TenantID] = ["acme", "beta", "gamma"]

    /// Every restored book is, row by row, the one that these records make, and is proved.
    private func expect(
        _ records: [TenantID: [[Entry]]], in dataPath: String, _ where: String, refusals: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let shards = dataPath + "/shards"
        let restored = ShardStore(path: shards)
        defer { restored.close() }
        // Of a moment at which it had been refused things, and no more, a tenant has no book.
        for (tenant, records) in records where records.joined().contains(where: { $0.kind != .refusal }) {
            let expected = try BackedUpServer.dump(records, of: tenant)
            let found = try BackedUpServer.dump(ShardStore.file(of: tenant, in: shards))
            // The rows of refusals depend on when others came, and so does which ids were noted of them.
            for table in expected.keys where table != "refusals" && table != "meta" {
                #expect(
                    expected[table] == found[table], "\(table) of \(tenant), \(`where`)", sourceLocation: sourceLocation
                )
            }
            let newest = records.joined().map(\.at).max() ?? .zero
            let kept = { (entry: Entry) in
                refusals && entry.kind == .refusal
                    && entry.at.microseconds >= newest.microseconds - StorageLimits.refusalRetentionMicroseconds
            }
            for refusal in records.joined().filter(kept) {
                guard let key = refusal.key else { continue }
                let recalled = try restored.recall(tenant, Recall(step: key, reservation: nil))
                #expect(recalled.step != nil, "a refusal of \(tenant), \(`where`)", sourceLocation: sourceLocation)
            }
            #expect(try restored.verify(tenant).fault == nil, sourceLocation: sourceLocation)
        }
    }

    /// What a book in memory knows, but for buckets without use, and which ids refusals had that are forgotten.
    private static func comparable(_ state: borrowing LedgerState) -> BookSnapshot {
        var snapshot = state.snapshot()
        snapshot.usage.removeAll { $0.consumed == 0 }
        snapshot.newestTimeOrderedID = .zero
        snapshot.holdsOtherIDs = false
        return snapshot
    }

    @Test(arguments: propertySeeds(0..<3))
    func whatIsRestoredIsWhatWasJournaledWhereverItStoodWhenItWasBackedUp(seed: UInt64) throws {
        print("TOLLGATE_SEED=\(seed)")
        var random = SeededRandom(seed: seed)
        let server = try BackedUpServer(tenants: Self.tenants)
        var books: [TenantID: [[Entry]]] = [:]
        for (index, tenant) in Self.tenants.enumerated() {
            books[tenant] = try SomeBooks.records(tenant, seed: seed &+ UInt64(index), steps: 200 + index * 150)
        }
        var taken = 0
        let parts = 6
        for part in 1...parts {
            let portion = books.mapValues { records in
                records[records.count * (part - 1) / parts..<records.count * part / parts]
            }
            try server.take(portion, random: &random)
            let report = try server.backup(at: Instant(microseconds: Int64(part)))
            #expect(report.faults.isEmpty)
            #expect(report.newEntries > 0 && report.changed == 3)
            let entries = server.records.values.joined().joined().filter { $0.kind != .refusal }
            #expect(report.entries == UInt64(entries.count), "TOLLGATE_SEED=\(seed)")
            taken = entries.count
            // Nothing new costs nothing.
            let again = try server.backup(at: Instant(microseconds: Int64(part)))
            #expect(again.newEntries == 0 && again.entries == report.entries)
        }
        let verdict = try server.verifyBackup()
        #expect(verdict.directoryFault == nil)
        #expect(verdict.books.allSatisfy { (try? $0.verdict.get().fault) == .some(nil) })
        #expect(try server.restore(to: "whole").entries == UInt64(taken))
        try expect(books, in: server.path + "/whole", "TOLLGATE_SEED=\(seed)")

        for _ in 0..<4 {
            // In an order that the seed alone decides.
            let all = Self.tenants.compactMap { books[$0] }.joined().joined().map(\.at)
            let moment = try #require(all.randomElement(using: &random))
            let name = "moment-\(moment.microseconds)-\(random.next())"
            try server.restore(to: name, until: moment)
            let there = books.mapValues { SomeBooks.until(moment, $0) }
            try expect(
                there, in: server.path + "/" + name, "until \(moment), TOLLGATE_SEED=\(seed)",
                refusals: false)
            for (tenant, records) in there {
                var state = LedgerState()
                for entry in records.joined() { state.evolve(entry) }
                let restored = ShardStore(path: server.path + "/" + name + "/shards")
                defer { restored.close() }
                let loaded = try restored.load(tenant)?.snapshot ?? BookSnapshot()
                #expect(Self.comparable(LedgerState(restoring: loaded)) == Self.comparable(state), "\(tenant), \(name)")
            }
        }
        print(
            "covered: backup: seed \(seed), \(taken) entries of 3 books in \(parts) runs, restored whole and to 4 moments"
        )
    }

    @Test func oneTenantIsRestoredAloneAndAnEarlierMomentKnowsNoLaterTenant() throws {
        let server = try BackedUpServer(tenants: ["acme"])
        let records = try SomeBooks.records("acme", seed: 3, steps: 60)
        for record in records { try server.take(record, of: "acme") }
        let end = try #require(records.last?.last?.at)
        try server.add("later", at: end.advanced(microseconds: 1))
        try server.take(try SomeBooks.records("later", seed: 4, steps: 1)[0], of: "later")
        try server.backup()
        #expect(try server.restore(to: "all").tenants == 2)
        #expect(try server.restore(to: "before", until: end).tenants == 1)
        #expect(try server.restore(to: "one", only: "later").tenants == 1)
        let one = try Directory(path: server.path + "/one/directory.sqlite")
        #expect(one.tenants(after: nil, limit: 9).map(\.id) == ["later"])
        one.close()
        #expect(throws: StorageError.self) { try server.restore(to: "none", only: "nobody") }
        #expect(throws: StorageError.self) { try server.restore(to: "all") }
    }

    @Test func theDirectoryIsBroughtIntoLineWithTheBooks() throws {
        let server = try BackedUpServer(tenants: ["acme"])
        let records = try SomeBooks.records("acme", seed: 8, steps: 400)
        for record in records { try server.take(record, of: "acme") }
        try server.backup()
        try server.restore(to: "whole")
        var state = LedgerState()
        for entry in records.joined() { state.evolve(entry) }
        let subscription = try #require(state.governance.subscription)
        let directory = try Directory(path: server.path + "/whole/directory.sqlite")
        let tenant = try #require(directory.tenant("acme"))
        directory.close()
        #expect((tenant.plan, tenant.subscription) == (subscription.terms.name, subscription.state))
        #expect(tenant.timeZone == state.governance.zone)
    }

    // MARK: - Runs that end early

    @Test func aRunThatFailsAtAnyCallChangesNothingThatCountsAndTheNextGoesOn() throws {
        let server = try BackedUpServer(tenants: ["acme", "beta"])
        let acme = try SomeBooks.records("acme", seed: 5, steps: 40)
        let beta = try SomeBooks.records("beta", seed: 6, steps: 20)
        for record in acme[..<20] { try server.take(record, of: "acme") }
        try server.flush("acme")
        try server.trim()
        try server.backup()
        for record in acme[20...] { try server.take(record, of: "acme") }
        for record in beta { try server.take(record, of: "beta") }
        try server.flush("beta")
        try server.trim()
        let generation = BackupDirectory(path: server.target, fileSystem: LocalFileSystem()).generation(1)
        let before = try generation.manifest()
        var failures = 0
        for call in 1... {
            let disk = DyingFileSystem(failingFrom: call)
            do {
                let report = try server.backup(fileSystem: disk)
                // What failed was the one book's, or after all that counts.
                guard report.faults.isEmpty else {
                    failures += 1
                    try #require(disk.count >= call, "a book fails where no call did: \(report.faults)")
                    continue
                }
                if disk.count < call { break }
            } catch let error as StorageError {
                failures += 1
                try #require(disk.count >= call, "it fails where no call did: \(error)")
                let now = try generation.manifest()
                guard call % 32 == 0, now == before else { continue }
                let books = try server.verifyBackup().books
                #expect(books.count == 1 && books.allSatisfy { (try? $0.verdict.get().fault) == .some(nil) })
            }
        }
        #expect(failures > 30)
        let report = try server.backup()
        #expect(report.entries == UInt64((acme + beta).joined().filter { $0.kind != .refusal }.count))
        let verdict = try server.verifyBackup()
        #expect(verdict.books.allSatisfy { (try? $0.verdict.get().fault) == .some(nil) })
        try server.restore(to: "whole")
        try expect(["acme": acme, "beta": beta], in: server.path + "/whole", "after \(failures) failures")
        print("covered: backup: failed at each of \(failures) calls, and went on")
    }

    @Test func whatARunLeftBehindIsKeptOnlyWhereTheShardHasTheSame() throws {
        let server = try BackedUpServer(tenants: ["acme"])
        let records = try SomeBooks.records("acme", seed: 7, steps: 120)
        for record in records[..<40] { try server.take(record, of: "acme") }
        try server.flush("acme")
        try server.trim()
        try server.backup()
        let generation = BackupDirectory(path: server.target, fileSystem: LocalFileSystem()).generation(1)
        let old = try #require(try generation.manifest())
        for record in records[40...] { try server.take(record, of: "acme") }
        try server.flush("acme")
        try server.trim()
        let whole = try server.backup()
        let file = try LocalFileSystem().open(generation.file(of: "acme"), .existing)
        let bytes = try file.readAll()
        for cut in [Int(old.books["acme"]!.mark.bytes), bytes.count - 1, bytes.count / 2 + 7, bytes.count] {
            // As if the last run had ended before its manifest.
            try generation.write(old)
            try file.truncate(to: 0)
            try file.write(Array(bytes[..<max(cut, Int(old.books["acme"]!.mark.bytes))]), at: 0)
            #expect(try server.backup().entries == whole.entries)
            #expect(try server.verifyBackup().books.allSatisfy { (try? $0.verdict.get().fault) == .some(nil) })
        }
        // Frames that check, of a history that never was.
        try generation.write(old)
        try file.truncate(to: old.books["acme"]!.mark.bytes)
        var writer = try BookFileWriter(file, tenant: "acme", from: old.books["acme"]!.mark)
        var stray = FramePayload()
        [UInt8]([2, 1, 2, 3]).readable { stray.add($0) }
        try writer.append(entries: stray, head: ChainHash(high: 1, low: 1))
        #expect(try server.backup().entries == whole.entries)
        #expect(try server.verifyBackup().books.allSatisfy { (try? $0.verdict.get().fault) == .some(nil) })
    }

    // MARK: - Histories that part

    @Test func aBookThatWentAnotherWayIsRefusedAndGoesOnInANewGeneration() throws {
        let server = try BackedUpServer(tenants: ["acme"])
        let records = try SomeBooks.records("acme", seed: 9, steps: 80)
        for record in records { try server.take(record, of: "acme") }
        try server.backup()
        // The same tenant, restored to an earlier moment, and gone on with in another way.
        let other = try BackedUpServer(tenants: ["acme"])
        let different = try SomeBooks.records("acme", seed: 10, steps: 200)
        for (count, isFlushed) in [(20, false), (20, true), (different.count, false), (different.count, true)] {
            for record in different[(other.records["acme"]?.count ?? 0)..<count] { try other.take(record, of: "acme") }
            if isFlushed {
                try other.flush("acme")
                try other.trim()
            }
            var run = BackupRun(dataPath: other.dataPath, target: server.target)
            #expect {
                try run.run(at: .zero)
            } throws: {
                "\($0)".contains("acme") && "\($0)".contains("--new-generation")
            }
            if count == different.count, isFlushed {
                run.startsGeneration = true
                let report = try run.run(at: .zero)
                #expect(report.generation == 2)
                #expect(report.entries == UInt64(different.joined().filter { $0.kind != .refusal }.count))
            }
        }
        let newest = try server.restore(to: "newest")
        let first = try server.restore(to: "first", generation: 1)
        #expect((newest.generation, first.generation) == (2, 1))
        try expect(["acme": records], in: server.path + "/first", "the first generation")
        try expect(["acme": different], in: server.path + "/newest", "the second generation")
    }

    @Test func anotherServersDataIsRefused() throws {
        let server = try BackedUpServer(tenants: ["acme"])
        try server.take(try SomeBooks.records("acme", seed: 9, steps: 1)[0], of: "acme")
        try server.backup()
        let other = try BackedUpServer(tenants: ["beta"])
        #expect {
            try BackupRun(dataPath: other.dataPath, target: server.target).run(at: .zero)
        } throws: {
            "\($0)".contains("no such tenant")
        }
        #expect(throws: StorageError.self) {
            try BackupRun(dataPath: server.dataPath, target: other.dataPath).run(at: .zero)
        }
        #expect(throws: StorageError.self) {
            try BackupRun(dataPath: server.target, target: server.target).run(at: .zero)
        }
    }

    @Test func aSecondBackupAtTheSameTimeIsRefused() throws {
        let server = try BackedUpServer(tenants: ["acme"])
        try server.backup()
        let lock = try LocalFileSystem().open(server.target + "/LOCK", .existing)
        #expect(try lock.lock())
        #expect {
            try server.backup()
        } throws: {
            "\($0)".contains("under way")
        }
        lock.close()
        try server.backup()
    }

    @Test func aDamagedShardLeavesTheOtherBooksInTheBackup() throws {
        let server = try BackedUpServer(tenants: ["acme", "beta"])
        for (index, tenant) in (["acme", "beta"] as [TenantID]).enumerated() {
            for record in try SomeBooks.records(tenant, seed: UInt64(index), steps: 30) {
                try server.take(record, of: tenant)
            }
            try server.flush(tenant)
        }
        try server.trim()
        server.store.close()
        let shard = try Database(
            path: ShardStore.file(of: "acme", in: server.dataPath + "/shards"), .readWrite, setup: "")
        try shard.execute("UPDATE entries SET body = body || x'00' WHERE sequence = 7")
        shard.close()
        let report = try server.backup()
        #expect(report.faults.map(\.tenant) == ["acme"])
        #expect("\(report.faults[0].error)".contains("entry 7"))
        #expect(try server.verifyBackup().books.map(\.tenant).contains("beta"))
    }
}

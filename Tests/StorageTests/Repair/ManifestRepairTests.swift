import Glibc
import Ledger
import Testing

@testable import Storage

/// A manifest that was lost is made of what is there, and what is not there is never taken for an empty book.
@Suite struct ManifestRepairTests {
    private static let acmeRecords = Result { try SomeBooks.records("acme", seed: 41, steps: 150) }
    private static let betaRecords = Result { try SomeBooks.records("beta", seed: 42, steps: 150) }

    /// A stopped server with a trimmed journal, which has the end of each book alone, and a backup of the rest.
    private func server(_ change: (BackedUpServer) throws -> Void = { _ in }) throws -> BackedUpServer {
        let server = try BackedUpServer(tenants: ["acme", "beta"])
        let (acme, beta) = (try Self.acmeRecords.get(), try Self.betaRecords.get())
        for index in 0..<max(acme.count, beta.count) - 1 {
            if index < acme.count - 1 { try server.take(acme[index], of: "acme") }
            if index < beta.count - 1 { try server.take(beta[index], of: "beta") }
        }
        for tenant in ["acme", "beta"] as [TenantID] { try server.flush(tenant) }
        try server.trim()
        #expect(server.journal.firstPosition > 1)
        try server.backup()
        try change(server)
        try server.take(acme.last!, of: "acme")
        try server.take(beta.last!, of: "beta")
        server.close()
        return server
    }

    /// Every tenant's book as a server that starts now has it; throws where it does not start.
    private func books(of server: BackedUpServer) throws -> [TenantID: Result<BookTotals, StorageError>] {
        let journal = try LocalJournal(directory: server.dataPath + "/journal", spares: .never)
        defer { journal.close() }
        let store = ShardStore(path: server.dataPath + "/shards")
        defer { store.close() }
        try store.check(journal)
        var pending: [TenantID: RecordRun] = [:]
        let listed = try store.listed()
        try journal.replay(after: 0) { (position, tenant, record) in
            guard position > listed[tenant]?.position ?? 0 else { return }
            pending[tenant, default: RecordRun()].append(record, at: position)
        }
        var books: [TenantID: Result<BookTotals, StorageError>] = [:]
        for tenant in Set(pending.keys).union(listed.keys) {
            books[tenant] = Result { () throws(StorageError) in
                var run = pending[tenant] ?? RecordRun()
                let missing = run.split(through: try store.extent(tenant)?.position ?? 0)
                if !missing.isEmpty { try store.apply(tenant, missing) }
                #expect(try! store.verify(tenant).fault == nil)
                return try store.load(tenant)?.snapshot.totals ?? BookTotals()
            }
        }
        return books
    }

    private func expectWhole(_ server: BackedUpServer, _ tenants: [TenantID] = ["acme", "beta"]) throws {
        let books = try books(of: server)
        #expect(Set(books.keys) == Set(tenants))
        for tenant in tenants {
            let own = tenant == "acme" ? try Self.acmeRecords.get() : try Self.betaRecords.get()
            let folder = TemporaryDirectory()
            let store = ShardStore(path: folder.path)
            try store.apply(tenant, entries: Array(own.joined()), through: 1)
            #expect(try books[tenant]?.get() == store.load(tenant)?.snapshot.totals)
            store.close()
        }
    }

    private func expectRefused(_ server: BackedUpServer, _ tenant: TenantID) throws {
        #expect {
            try books(of: server)[tenant]?.get()
        } throws: {
            ($0 as? StorageError)?.isCorruption == true && "\($0)".contains("\(tenant)")
        }
    }

    /// A server does not start, and says what to do.
    private func expectNoStart(_ server: BackedUpServer) {
        #expect {
            try books(of: server)
        } throws: {
            "\($0)".contains(manifest(of: server)) && "\($0)".contains("`tollgate repair manifest --data DIR`")
        }
    }

    private func manifest(of server: BackedUpServer) -> String { server.dataPath + "/shards/" + ShardManifest.name }

    private func file(of tenant: TenantID, _ server: BackedUpServer) -> String {
        ShardStore.file(of: tenant, in: server.dataPath + "/shards")
    }

    private func bytes(_ path: String) throws -> [UInt8] { try LocalFileSystem().open(path, .readOnly).readAll() }

    private func overwrite(_ path: String, _ bytes: [UInt8]) throws {
        remove(path)
        let file = try LocalFileSystem().open(path, .create)
        try file.write(bytes, at: 0)
        file.close()
    }

    private func remove(_ path: String) {
        for part in ["", "-wal", "-shm"] { unlink(path + part) }
    }

    private func repair(_ server: BackedUpServer) throws -> ManifestRepairReport {
        try ManifestRepair(dataPath: server.dataPath).run()
    }

    private func heal(_ tenant: TenantID, _ server: BackedUpServer, from source: String?) throws {
        let report = try HealRun(dataPath: server.dataPath, tenant: tenant, source: source).run()
        #expect(report.isAdopted)
    }

    // MARK: - The manifest

    @Test func aDamagedManifestIsKeptAndMadeAnew() throws {
        let server = try server()
        let damaged = [UInt8](repeating: 0x41, count: 4_096)
        try overwrite(manifest(of: server), damaged)
        expectNoStart(server)
        let report = try repair(server)
        #expect(report.fault != nil && report.lost.isEmpty && report.listed == 2 && report.trimmedThrough > 0)
        #expect(try bytes(try #require(report.setAside)) == damaged)
        try expectWhole(server)
    }

    @Test func aMissingManifestIsMadeAnew() throws {
        let server = try server()
        remove(manifest(of: server))
        expectNoStart(server)
        let report = try repair(server)
        #expect(report.fault != nil && report.setAside == nil && report.lost.isEmpty && report.listed == 2)
        try expectWhole(server)
    }

    @Test func aSoundManifestIsLeftAsItIs() throws {
        let server = try server()
        #expect(try repair(server).fault == nil)
        remove(manifest(of: server))
        _ = try repair(server)
        let before = try bytes(manifest(of: server))
        let report = try repair(server)
        #expect(report.fault == nil && report.listed == 0)
        #expect(try bytes(manifest(of: server)) == before)
        let names = try LocalFileSystem().list(server.dataPath + "/shards")
        #expect(names.filter { $0.hasPrefix(ShardManifest.name + ".") }.isEmpty)
    }

    @Test func aDirectoryInUseOrOfAnotherKindIsRefused() throws {
        let server = try server()
        remove(manifest(of: server))
        let holder = try DataDirectory(path: server.dataPath, create: false)
        #expect {
            try repair(server)
        } throws: {
            "\($0)".contains("in use by")
        }
        holder.close()
        #expect(try !LocalFileSystem().exists(manifest(of: server)))
        #expect {
            try ManifestRepair(dataPath: server.path).run()
        } throws: {
            "\($0)".contains("not a data directory")
        }
    }

    // MARK: - What the manifest alone knew

    @Test func aMissingShardIsRefusedUntilItIsHealed() throws {
        let server = try server()
        remove(manifest(of: server))
        remove(file(of: "acme", server))
        let report = try repair(server)
        #expect(report.lost.map(\.tenant) == ["acme"] && report.listed == 1)
        try expectRefused(server, "acme")
        try heal("acme", server, from: server.target)
        try expectWhole(server)
    }

    /// A shard as it was after so many records.
    private func stale(_ tenant: TenantID, _ records: ArraySlice<[Entry]>) throws -> [UInt8] {
        let folder = TemporaryDirectory()
        let store = ShardStore(path: folder.path)
        var run = RecordRun()
        for (index, record) in records.enumerated() {
            run.append(contentsOf: RecordRun(record, at: UInt64(index + 1)))
        }
        try store.apply(tenant, run)
        store.close()
        return try bytes(ShardStore.file(of: tenant, in: folder.path))
    }

    @Test func anOlderShardIsSetAsideAndRefusedUntilItIsHealed() throws {
        let server = try server()
        let stale = try stale("acme", try Self.acmeRecords.get().prefix(20))
        try overwrite(file(of: "acme", server), stale)
        remove(manifest(of: server))
        let report = try repair(server)
        let lost = try #require(report.lost.first)
        #expect(lost.tenant == "acme" && lost.reason.contains("older copy"))
        #expect(try bytes(try #require(lost.file)) == stale)
        try expectRefused(server, "acme")
        try heal("acme", server, from: server.target)
        try expectWhole(server)
    }

    /// A stopped server of whose first book all is in the shard, and nothing in the journal.
    private func serverWithoutRecords() throws -> BackedUpServer {
        let server = try BackedUpServer(tenants: ["acme", "beta"])
        for (tenant, records) in [("acme", try Self.acmeRecords.get()), ("beta", try Self.betaRecords.get())] {
            for record in records { try server.take(record, of: TenantID(tenant)!) }
            try server.flush(TenantID(tenant)!)
            try server.trim()
        }
        try server.journal.replay(after: 0) { (_, tenant, _) in #expect(tenant == "beta") }
        server.close()
        return server
    }

    @Test func aShardThatIsOlderThanAFileThatWasSetAsideIsRefused() throws {
        let server = try serverWithoutRecords()
        let names = ShardNames(file: file(of: "acme", server))
        try overwrite(names.setAside(1), try bytes(names.file))
        try overwrite(names.file, try stale("acme", try Self.acmeRecords.get().prefix(20)))
        remove(manifest(of: server))
        let report = try repair(server)
        #expect(report.lost.map(\.tenant) == ["acme"])
        #expect(report.lost.first?.reason.contains("set aside") == true)
        try expectRefused(server, "acme")
        try heal("acme", server, from: nil)
        try expectWhole(server)
    }

    @Test func aShardThatIsOlderThanABackupAloneKnowsIsNamedByTheNextBackup() throws {
        let server = try serverWithoutRecords()
        try server.backup()
        try overwrite(file(of: "acme", server), try stale("acme", try Self.acmeRecords.get().prefix(20)))
        remove(manifest(of: server))
        #expect(try repair(server).lost.isEmpty)
        #expect {
            try server.backup()
        } throws: {
            "\($0)".contains("the book of tenant acme does not continue its copy")
        }
    }

    @Test func aDamagedShardIsSetAsideAndRefusedUntilItIsHealed() throws {
        let server = try server()
        remove(manifest(of: server))
        let path = file(of: "acme", server)
        var damaged = try bytes(path)
        for index in 4_096..<damaged.count { damaged[index] ^= 0x55 }
        try overwrite(path, damaged)
        let report = try repair(server)
        #expect(report.lost.map(\.tenant) == ["acme"])
        #expect(try bytes(try #require(report.lost.first?.file)) == damaged)
        try expectRefused(server, "acme")
        try heal("acme", server, from: server.target)
        try expectWhole(server)
    }

    @Test func aShardWithoutABookIsNoEmptyBook() throws {
        let server = try server()
        remove(manifest(of: server))
        try overwrite(file(of: "acme", server), try ShardSchema.template.get())
        #expect(try repair(server).lost.map(\.tenant) == ["acme"])
        try expectRefused(server, "acme")
        try heal("acme", server, from: server.target)
        try expectWhole(server)
    }

    @Test func anotherTenantsShardStopsTheRepairAndNothingIsChanged() throws {
        let server = try server()
        remove(manifest(of: server))
        let other = try bytes(file(of: "beta", server))
        try overwrite(file(of: "acme", server), other)
        #expect {
            try repair(server)
        } throws: {
            "\($0)".contains("another tenant")
        }
        #expect(try bytes(file(of: "acme", server)) == other)
        expectNoStart(server)
    }

    @Test func booksThatAreAheadOfTheirJournalAreNamedAndStay() throws {
        let server = try server()
        remove(manifest(of: server))
        let journal = server.dataPath + "/journal"
        for name in try LocalFileSystem().list(journal) { unlink(journal + "/" + name) }
        let report = try repair(server)
        #expect(report.listed == 2 && report.lost.map(\.tenant) == ["acme", "beta"])
        for lost in report.lost { #expect(lost.file == nil && lost.reason.contains("not its own")) }
        #expect(try LocalFileSystem().exists(file(of: "acme", server)))
    }

    @Test func aBookOfNoTenantIsListedAndNamed() throws {
        let server = try server { server in
            for record in try SomeBooks.records("gamma", seed: 43, steps: 10) { try server.take(record, of: "gamma") }
            try server.flush("gamma")
        }
        remove(manifest(of: server))
        let report = try repair(server)
        #expect(report.strangers == ["gamma"] && report.listed == 3 && report.lost.isEmpty)
        #expect(try books(of: server)["gamma"] != nil)
    }

    @Test func aTenantWithoutATraceIsRefusedUntilSomebodyKnowsBetter() throws {
        let server = try server { try $0.add("ghost", at: .zero) }
        remove(manifest(of: server))
        #expect(try repair(server).lost.map(\.tenant) == ["ghost"])
        try expectRefused(server, "ghost")
        for tenant in ["acme", "beta", "nobody"] as [TenantID] {
            #expect(throws: StorageError.self) {
                try EmptyBook(dataPath: server.dataPath, tenant: tenant).begin()
            }
        }
        try EmptyBook(dataPath: server.dataPath, tenant: "ghost").begin()
        try expectWhole(server)
    }

    @Test func aTenantThatIsStillOwedItsBeginningIsNotRefused() throws {
        let server = try server { server in
            let at = Instant(microseconds: 1_767_225_600_000_000)
            let note = DirectoryNote(id: StepID(high: 0x7000, low: 1 << 63), tenant: "fresh", body: [], at: at)
            _ = try server.directory.createTenant(
                TenantRecord(id: "fresh", plan: "", displayName: "", timeZone: "UTC", createdAt: at), note: note)
        }
        remove(manifest(of: server))
        #expect(try repair(server).lost.isEmpty)
        try expectWhole(server)
    }

    // MARK: - Journals that were never trimmed

    @Test func shardsThatTheJournalHasWholeAreMadeAnewAndNobodyIsRefused() throws {
        let server = try BackedUpServer(tenants: ["acme", "beta", "ghost"])
        for record in try Self.acmeRecords.get() { try server.take(record, of: "acme") }
        for record in try Self.betaRecords.get() { try server.take(record, of: "beta") }
        for tenant in ["acme", "beta"] as [TenantID] { try server.flush(tenant) }
        #expect(server.store.makeDurable(["acme", "beta"] as [TenantID]).isEmpty)
        server.close()
        try overwrite(manifest(of: server), [UInt8](repeating: 0x41, count: 4_096))
        remove(file(of: "acme", server))
        try overwrite(file(of: "beta", server), [UInt8](repeating: 7, count: 90_000))
        let report = try repair(server)
        #expect(report.lost.isEmpty && report.inJournal == 2 && report.trimmedThrough == 0)
        try expectWhole(server)
    }

    @Test func restoredBooksThatAreInNoJournalAreNeverTakenForEmptyOnes() throws {
        let server = try server()
        try server.restore(to: "again")
        let data = server.path + "/again"
        let path = data + "/shards/" + ShardManifest.name
        let check = { () throws in
            let journal = try LocalJournal(directory: data + "/journal", spares: .never)
            defer { journal.close() }
            let store = ShardStore(path: data + "/shards")
            defer { store.close() }
            try store.check(journal)
        }
        try check()
        for remains in [nil, []] as [[UInt8]?] {
            remove(path)
            if let remains { try overwrite(path, remains) }
            #expect {
                try check()
            } throws: {
                "\($0)".contains("tollgate repair manifest")
            }
            let report = try ManifestRepair(dataPath: data).run()
            #expect(report.lost.isEmpty && report.listed == 2)
            try check()
        }
        let store = ShardStore(path: data + "/shards")
        #expect(try store.load("acme") != nil)
        store.close()
    }
}

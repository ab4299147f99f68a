import Ledger
import Testing

@testable import Storage

@Suite struct DirectoryTests {
    let temporary = TemporaryDirectory()
    var path: String { temporary.path + "/directory.sqlite" }

    func tenant(_ id: TenantID, plan: String = "free") -> TenantRecord {
        TenantRecord(
            id: id, plan: plan, displayName: "Acme ⚙︎", timeZone: "Europe/Berlin", createdAt: Instant(microseconds: 7))
    }

    func key(_ id: String, _ tenant: TenantID?, byte: UInt8) -> KeyRecord {
        KeyRecord(
            keyID: id, tenant: tenant, role: "service", name: "key \(id)",
            digest: KeyDigest(Array(repeating: byte, count: 31) + [1])!, createdAt: Instant(microseconds: Int64(byte)))
    }

    @Test func aTenantIsMadeOnceAndFoundAfterARestart() throws {
        let directory = try Directory(path: path)
        #expect(try !directory.createTenant(tenant("acme")).replayed)
        let generation = directory.generation
        var again = tenant("acme")
        again.createdAt = Instant(microseconds: 99)
        #expect(try directory.createTenant(again) == (tenant("acme"), true))
        #expect(directory.generation == generation)
        #expect(throws: StorageError.self) { try directory.createTenant(tenant("acme", plan: "premium")) }
        directory.close()
        let reopened = try Directory(path: path)
        #expect(reopened.tenant("acme") == tenant("acme"))
        #expect(reopened.tenant("other") == nil)
    }

    @Test func tenantsAreListedInPages() throws {
        let directory = try Directory(path: path)
        for id in ["m", "b", "z", "a", "k"] as [TenantID] { _ = try directory.createTenant(tenant(id)) }
        #expect(directory.tenants(after: nil, limit: 2).map(\.id.description) == ["a", "b"])
        #expect(directory.tenants(after: "b", limit: 2).map(\.id.description) == ["k", "m"])
        #expect(directory.tenants(after: "c", limit: 9).map(\.id.description) == ["k", "m", "z"])
        #expect(directory.tenants(after: "z", limit: 2).isEmpty)
    }

    @Test func aKeyIsFoundByItsDigestUntilAndAfterItIsRevoked() throws {
        var directory = try Directory(path: path)
        _ = try directory.createTenant(tenant("acme"))
        try directory.createKey(key("k2", "acme", byte: 2))
        try directory.createKey(key("k1", "acme", byte: 1))
        try directory.createKey(key("root", nil, byte: 3))
        #expect(throws: StorageError.self) { try directory.createKey(key("k1", "acme", byte: 9)) }
        #expect(throws: StorageError.self) { try directory.createKey(key("k9", "acme", byte: 1)) }
        #expect(throws: StorageError.self) { try directory.createKey(key("k8", "nobody", byte: 8)) }
        let generation = directory.generation
        let revoked = try directory.revokeKey("k1", at: Instant(microseconds: 50))
        #expect(directory.generation > generation)
        #expect(try directory.revokeKey("k1", at: Instant(microseconds: 60)) == revoked)
        #expect(try directory.revokeKey("nothing", at: Instant(microseconds: 60)) == nil)
        for _ in 0..<2 {
            #expect(directory.keys("acme").map(\.keyID) == ["k1", "k2"])
            #expect(directory.keys(nil).map(\.keyID) == ["root"])
            #expect(directory.key(forHash: key("", nil, byte: 1).digest)?.revokedAt == Instant(microseconds: 50))
            #expect(directory.key(forHash: key("", nil, byte: 3).digest) == key("root", nil, byte: 3))
            #expect(directory.key(forHash: key("", nil, byte: 7).digest) == nil)
            let nearMiss = KeyDigest(Array(repeating: 3, count: 32))!
            #expect(directory.key(forHash: nearMiss) == nil)
            directory.close()
            directory = try Directory(path: path)
        }
    }

    @Test func namesAreBounded() throws {
        let directory = try Directory(path: path)
        var long = tenant("acme")
        long.displayName = String(repeating: "x", count: 257)
        #expect(throws: StorageError.self) { try directory.createTenant(long) }
        #expect(KeyDigest(Array(repeating: 0, count: 31)) == nil)
    }

    @Test func aChangedTenantIsAsItWasLeftAndStillKnownByWhatItWasMadeWith() throws {
        let directory = try Directory(path: path)
        _ = try directory.createTenant(tenant("acme"))
        let generation = directory.generation
        let at = Instant(microseconds: 1_000)
        for _ in 0..<2 {
            let changed = try directory.updateTenant("acme") {
                $0.plan = "premium"
                $0.timeZone = "UTC"
                $0.subscription = .trial
                $0.next = TenantRecord.Turn(plan: "premium", subscription: .active, at: at)
                $0.createdAt = at
            }
            #expect(changed?.after.createdAt == Instant(microseconds: 7))
        }
        #expect(directory.generation == generation + 1)
        #expect(try directory.updateTenant("nobody") { $0.plan = "x" } == nil)
        #expect(throws: StorageError.self) {
            try directory.updateTenant("acme") { $0.displayName = String(repeating: "x", count: 257) }
        }
        let before = directory.tenant("acme")
        directory.close()
        let reopened = try Directory(path: path)
        #expect(reopened.tenant("acme") == before)
        #expect(before?.standing(at: Instant(microseconds: 999)).subscription == .trial)
        #expect(before?.standing(at: at).subscription == .active)
        let again = try reopened.createTenant(tenant("acme"))
        #expect(again.replayed)
        #expect(again.tenant.plan == "premium")
        #expect(throws: StorageError.self) { try reopened.createTenant(tenant("acme", plan: "premium")) }
        _ = try reopened.updateTenant("acme") { $0 = tenant("acme") }
        #expect(reopened.tenant("acme") == tenant("acme"))
    }

    @Test func aFileOfAnOlderBuildIsReadAndBroughtUpToDate() throws {
        let digest = String(repeating: "01", count: 32)
        try Database(
            path: path, .create,
            setup: """
                CREATE TABLE tenants (id TEXT PRIMARY KEY, plan TEXT NOT NULL, display_name TEXT NOT NULL,
                    time_zone TEXT NOT NULL, state INTEGER NOT NULL, created_at INTEGER NOT NULL) WITHOUT ROWID;
                CREATE TABLE keys (key_id TEXT PRIMARY KEY, tenant TEXT, role TEXT NOT NULL, name TEXT NOT NULL,
                    digest BLOB NOT NULL UNIQUE, created_at INTEGER NOT NULL, revoked_at INTEGER) WITHOUT ROWID;
                INSERT INTO tenants VALUES ('acme', 'free', 'Acme ⚙︎', 'Europe/Berlin', 1, 7);
                INSERT INTO keys VALUES ('k1', 'acme', 'service', 'key k1', X'\(digest)', 1, NULL);
                """
        ).close()
        #expect(try Directory.tenants(ofFile: path) == ["acme"])
        for _ in 0..<2 {
            let directory = try Directory(path: path)
            #expect(directory.tenant("acme") == tenant("acme"))
            #expect(directory.keys("acme") == [key("k1", "acme", byte: 1)])
            #expect(directory.standing(of: MemberID("ann"), in: "acme") == .noMembers)
            #expect(try directory.outbox() == [])
            #expect(directory.catalogs() == [])
            directory.close()
        }
    }

    @Test func aFileOfANewerBuildIsLeftAlone() throws {
        try Directory(path: path).close()
        try Database(path: path, .readWrite, setup: "PRAGMA user_version = 99").close()
        #expect(throws: StorageError.self) { try Directory(path: path) }
    }

    @Test func catalogsAreKeptWithTheTimeFromWhichTheyHeld() throws {
        let directory = try Directory(path: path)
        #expect(try directory.applyCatalog([1], at: Instant(microseconds: 10)).isNew)
        #expect(try !directory.applyCatalog([1], at: Instant(microseconds: 20)).isNew)
        #expect(try directory.applyCatalog([2], at: Instant(microseconds: 5)).catalog.version == 2)
        #expect(try directory.applyCatalog([1], at: Instant(microseconds: 30)).catalog.version == 3)
        directory.close()
        let kept = try Directory(path: path).catalogs()
        #expect(kept.map(\.version) == [1, 2, 3])
        #expect(kept.map(\.json) == [[1], [2], [1]])
        #expect(kept.map(\.appliedAt.microseconds) == [10, 10, 30])
    }
}

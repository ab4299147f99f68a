import Ledger
import Storage
import Testing

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
}

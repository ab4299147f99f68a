import Ledger
import Synchronization

/// What is above the tenants: which there are, and the keys that open them. Every change is on the disk before it counts;
/// reads come from a copy in memory.
package final class Directory: Sendable {
    fileprivate struct Contents: Sendable {
        var tenants: [TenantID: TenantRecord] = [:]
        /// Sorted; the ids of `tenants`.
        var order: [TenantID] = []
        var keys: [String: KeyRecord] = [:]
        var keyIDs: [KeyDigest: String] = [:]
    }

    private let file: DirectoryFile
    /// One change at a time; taken before `contents`.
    private let writing = Lock()
    private let contents: Mutex<Contents>
    private let changes = Atomic<UInt64>(0)

    /// Opens the file, which is made where it is not there.
    package init(path: String) throws(StorageError) {
        file = try DirectoryFile(path: path)
        var read = Contents()
        for tenant in try file.tenants() { read.tenants[tenant.id] = tenant }
        read.order = read.tenants.keys.sorted()
        for key in try file.keys() {
            guard read.keyIDs.updateValue(key.keyID, forKey: key.digest) == nil else {
                throw .corrupt(path: path, reason: "two keys have the same digest")
            }
            read.keys[key.keyID] = key
        }
        contents = Mutex(read)
    }

    /// The tenants of a directory file, in order, read without taking or changing it: a server may be using it.
    package static func tenants(ofFile path: String) throws(StorageError) -> [TenantID] {
        let file = try DirectoryFile(reading: path)
        defer { file.close() }
        return try file.tenants().map(\.id).sorted()
    }

    /// Grows with every change: what was looked up under another generation is to be looked up again.
    package var generation: UInt64 { changes.load(ordering: .acquiring) }

    package func close() {
        writing.locked { file.close() }
    }

    // MARK: - Tenants

    /// Adds a tenant. Where one of the same id, plan, name and time zone is there it is returned (`replayed`); a different one is a conflict.
    package func createTenant(_ tenant: TenantRecord) throws(StorageError) -> (tenant: TenantRecord, replayed: Bool) {
        try Self.check([tenant.plan, tenant.displayName, tenant.timeZone])
        return try writing.locked { () throws(StorageError) in
            let (known, count) = contents.withLock { ($0.tenants[tenant.id], $0.order.count) }
            if let known {
                guard known.plan == tenant.plan, known.displayName == tenant.displayName,
                    known.timeZone == tenant.timeZone
                else { throw .conflict("tenant \(tenant.id) exists with other contents") }
                return (known, true)
            }
            guard count < StorageLimits.maxTenants else {
                throw .limit("there are \(count) tenants, no more are taken")
            }
            try file.insert(tenant)
            publish { contents in
                contents.tenants[tenant.id] = tenant
                contents.order.insert(tenant.id, at: contents.place(of: tenant.id))
            }
            return (tenant, false)
        }
    }

    package func tenant(_ id: TenantID) -> TenantRecord? {
        contents.withLock { $0.tenants[id] }
    }

    /// In the order of their ids, from the first one after `after`.
    package func tenants(after: TenantID?, limit: Int) -> [TenantRecord] {
        contents.withLock { contents in
            var first = 0
            if let after {
                first = contents.place(of: after)
                if first < contents.order.count, contents.order[first] == after { first += 1 }
            }
            return contents.order[first...].prefix(max(0, limit)).compactMap { contents.tenants[$0] }
        }
    }

    // MARK: - Keys

    /// Adds a key. Its tenant must be there; its id and its digest must be new.
    package func createKey(_ key: KeyRecord) throws(StorageError) {
        try Self.check([key.keyID, key.role, key.name])
        try writing.locked { () throws(StorageError) in
            let fault: StorageError? = contents.withLock { contents in
                if let tenant = key.tenant, contents.tenants[tenant] == nil {
                    return .conflict("there is no tenant \(tenant)")
                }
                if contents.keys[key.keyID] != nil || contents.keyIDs[key.digest] != nil {
                    return .conflict("key \(key.keyID) exists")
                }
                return contents.keys.count < StorageLimits.maxKeys ? nil : .limit("no more keys are taken")
            }
            if let fault { throw fault }
            try file.insert(key)
            publish { contents in
                contents.keys[key.keyID] = key
                contents.keyIDs[key.digest] = key.keyID
            }
        }
    }

    /// From now on the key is good for nothing. One that was revoked before stays as it was; nil where there is no such key.
    package func revokeKey(_ keyID: String, at instant: Instant) throws(StorageError) -> KeyRecord? {
        try writing.locked { () throws(StorageError) in
            guard var key = contents.withLock({ $0.keys[keyID] }) else { return nil }
            if key.revokedAt != nil { return key }
            key.revokedAt = instant
            try file.revoke(keyID, at: instant)
            let revoked = key
            publish { $0.keys[keyID] = revoked }
            return key
        }
    }

    /// One key by its id, revoked or not.
    package func key(_ keyID: String) -> KeyRecord? {
        contents.withLock { $0.keys[keyID] }
    }

    /// Every key, of whatever tenant, revoked ones included, oldest first.
    package func allKeys() -> [KeyRecord] { keys { _ in true } }

    /// The keys of a tenant, or those for all tenants, revoked ones included, oldest first.
    package func keys(_ tenant: TenantID?) -> [KeyRecord] { keys { $0.tenant == tenant } }

    private func keys(where isWanted: (KeyRecord) -> Bool) -> [KeyRecord] {
        let keys = contents.withLock { contents in contents.keys.values.filter(isWanted) }
        return keys.sorted { ($0.createdAt, $0.keyID) < ($1.createdAt, $1.keyID) }
    }

    /// The key with this digest, revoked or not. The digests are compared in constant time.
    package func key(forHash digest: KeyDigest) -> KeyRecord? {
        contents.withLock { contents in contents.keyIDs[digest].flatMap { contents.keys[$0] } }
    }

    private func publish(_ change: (inout Contents) -> Void) {
        contents.withLock { change(&$0) }
        changes.add(1, ordering: .releasing)
    }

    private static func check(_ names: [String]) throws(StorageError) {
        for name in names where name.utf8.count > StorageLimits.maxNameBytes {
            throw .limit("a name is longer than \(StorageLimits.maxNameBytes) bytes")
        }
    }
}

extension Directory.Contents {
    /// Where an id stands in the order, or would stand.
    fileprivate func place(of id: TenantID) -> Int {
        var low = 0
        var high = order.count
        while low < high {
            let middle = low + (high - low) / 2
            if order[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

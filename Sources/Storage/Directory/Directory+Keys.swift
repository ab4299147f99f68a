import Ledger
import Locks

/// The keys that open tenants.
extension Directory {
    /// Adds a key. Its tenant must be there; its id and its digest must be new.
    package func createKey(_ key: KeyRecord, note: DirectoryNote? = nil) throws(StorageError) {
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
            try commit(note) { (file) throws(StorageError) in
                try file.insert(key)
            } _: { contents in
                contents.keys[key.keyID] = key
                contents.keyIDs[key.digest] = key.keyID
            }
        }
    }

    /// From now on the key is good for nothing. One that was revoked before stays as it was, and owes no note; nil where
    /// there is no such key.
    package func revokeKey(
        _ keyID: String, at instant: Instant, note: DirectoryNote? = nil
    ) throws(StorageError) -> KeyRecord? {
        try writing.locked { () throws(StorageError) in
            guard var key = key(keyID) else { return nil }
            if key.revokedAt != nil { return key }
            key.revokedAt = instant
            let revoked = key
            try commit(note) { (file) throws(StorageError) in
                try file.revoke(keyID, at: instant)
            } _: {
                $0.keys[keyID] = revoked
            }
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
}

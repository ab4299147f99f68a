import Ledger

/// `directory.sqlite`. A change is durable when its call returns.
struct DirectoryFile: Sendable {
    private let database: Database

    private static let setup = """
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        PRAGMA trusted_schema = OFF;
        CREATE TABLE IF NOT EXISTS tenants (
            id TEXT PRIMARY KEY,
            plan TEXT NOT NULL,
            display_name TEXT NOT NULL,
            time_zone TEXT NOT NULL,
            state INTEGER NOT NULL,
            created_at INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS keys (
            key_id TEXT PRIMARY KEY,
            tenant TEXT,
            role TEXT NOT NULL,
            name TEXT NOT NULL,
            digest BLOB NOT NULL UNIQUE,
            created_at INTEGER NOT NULL,
            revoked_at INTEGER
        ) WITHOUT ROWID;
        """

    init(path: String) throws(StorageError) {
        database = try Database(path: path, .create, setup: Self.setup)
    }

    /// Opens a file to look at it only, while a server may be using it.
    init(reading path: String) throws(StorageError) {
        database = try Database(path: path, .readOnly, setup: ShardSchema.readOnlySetup)
    }

    func close() { database.close() }

    func tenants() throws(StorageError) -> [TenantRecord] {
        var tenants: [TenantRecord] = []
        let sql = "SELECT id, plan, display_name, time_zone, state, created_at FROM tenants"
        try database.statement(sql).rows { (row) throws(StorageError) in
            guard let id = TenantID(row.text(0)),
                let state = UInt8(exactly: row.integer(4)).flatMap(TenantRecord.State.init(rawValue:))
            else { throw .corrupt(database, "the row of a tenant is damaged") }
            tenants.append(
                TenantRecord(
                    id: id, plan: row.text(1), displayName: row.text(2), timeZone: row.text(3), state: state,
                    createdAt: Instant(microseconds: row.integer(5))))
            return true
        }
        return tenants
    }

    func keys() throws(StorageError) -> [KeyRecord] {
        var keys: [KeyRecord] = []
        let sql = "SELECT key_id, tenant, role, name, digest, created_at, revoked_at FROM keys"
        try database.statement(sql).rows { (row) throws(StorageError) in
            let tenant = row.isNull(1) ? nil : TenantID(row.text(1))
            guard let digest = KeyDigest(row.blob(4)), row.isNull(1) || tenant != nil else {
                throw .corrupt(database, "the row of a key is damaged")
            }
            keys.append(
                KeyRecord(
                    keyID: row.text(0), tenant: tenant, role: row.text(2), name: row.text(3), digest: digest,
                    createdAt: Instant(microseconds: row.integer(5)),
                    revokedAt: row.optionalInteger(6).map { Instant(microseconds: $0) }))
            return true
        }
        return keys
    }

    func insert(_ tenant: TenantRecord) throws(StorageError) {
        let sql = "INSERT INTO tenants (id, plan, display_name, time_zone, state, created_at) VALUES (?, ?, ?, ?, ?, ?)"
        try database.statement(sql).run { values in
            values.text(tenant.id.description)
            values.text(tenant.plan)
            values.text(tenant.displayName)
            values.text(tenant.timeZone)
            values.integer(Int64(tenant.state.rawValue))
            values.integer(tenant.createdAt.microseconds)
        }
    }

    func insert(_ key: KeyRecord) throws(StorageError) {
        let sql = "INSERT INTO keys (key_id, tenant, role, name, digest, created_at) VALUES (?, ?, ?, ?, ?, ?)"
        try database.statement(sql).run { values in
            values.text(key.keyID)
            if let tenant = key.tenant { values.text(tenant.description) } else { values.integer(nil) }
            values.text(key.role)
            values.text(key.name)
            key.digest.withBytes { values.blob($0) }
            values.integer(key.createdAt.microseconds)
        }
    }

    func revoke(_ keyID: String, at instant: Instant) throws(StorageError) {
        try database.statement("UPDATE keys SET revoked_at = ? WHERE key_id = ?").run { values in
            values.integer(instant.microseconds)
            values.text(keyID)
        }
    }
}

import Ledger

/// `directory.sqlite`. A change outside of a transaction is durable when its call returns.
struct DirectoryFile: Sendable {
    let database: Database

    init(path: String, _ fileSystem: any FileSystem) throws(StorageError) {
        // Its end may stand in the kernel's memory alone, where a sync failed before.
        try fileSystem.makeDurable(log: path + "-wal")
        database = try Database(path: path, .create, setup: DirectorySchema.setup, vfs: fileSystem.sqliteVFS)
        database.configureForWriting()
        do throws(StorageError) {
            try DirectorySchema.migrate(database)
        } catch {
            database.close()
            throw error
        }
        emptyLog()
    }

    /// Opens a file to look at it only, while a server may be using it.
    init(reading path: String, _ fileSystem: any FileSystem) throws(StorageError) {
        database = try Database(
            path: path, .readOnly, setup: ShardSchema.readOnlySetup, vfs: fileSystem.sqliteVFS)
    }

    func close() { database.close() }

    /// Moves the log into the file, whose pages are checked when they are read. SQLite takes of a log what stands before the
    /// first frame that does not check, as what a crash cut off looks the same: one bit that turns over in it would take back
    /// all that came later, a key that was revoked among it. So nothing that was promised is left in the log alone.
    ///
    /// A failure leaves the log, in which everything is durable; the next change tries again.
    func emptyLog(above bytes: Int64 = 0) {
        guard database.logBytes > bytes, let isEmpty = try? database.checkpoint(), isEmpty else { return }
        // A power cut would bring the old log back, from which newer pages than the file's are read, or older ones.
        try? database.sync()
    }

    /// All that `body` changes, or nothing.
    func transaction(_ body: () throws(StorageError) -> Void) throws(StorageError) {
        try database.transaction("BEGIN IMMEDIATE", body)
    }

    /// All of it.
    func contents() throws(StorageError) -> DirectoryContents {
        var read = DirectoryContents()
        for tenant in try tenants() { read.tenants[tenant.id] = tenant }
        read.order = read.tenants.keys.sorted()
        for key in try keys() {
            guard read.keyIDs.updateValue(key.keyID, forKey: key.digest) == nil else {
                throw .corrupt(database, "two keys have the same digest")
            }
            read.keys[key.keyID] = key
        }
        read.members = try members()
        read.memberCount = read.members.values.reduce(0) { $0 + $1.count }
        read.catalogs = try catalogs()
        (read.owed, read.lastPlace) = try owed()
        return read
    }

    // MARK: - Tenants

    /// The tenants' ids, also of a file that an older build made.
    func tenantIDs() throws(StorageError) -> [TenantID] {
        var ids: [TenantID] = []
        try database.statement("SELECT id FROM tenants").rows { (row) throws(StorageError) in
            guard let id = TenantID(row.text(0)) else { throw damagedTenant }
            ids.append(id)
            return true
        }
        return ids
    }

    private func tenants() throws(StorageError) -> [TenantRecord] {
        var tenants: [TenantRecord] = []
        let sql = """
            SELECT id, plan, display_name, time_zone, state, created_at, subscription, next_plan, next_subscription,
                next_at, made_plan, made_display_name, made_time_zone
            FROM tenants
            """
        try database.statement(sql).rows { (row) throws(StorageError) in
            guard let id = TenantID(row.text(0)),
                let state = UInt8(exactly: row.integer(4)).flatMap(TenantRecord.State.init(rawValue:)),
                let subscription = row.subscription(6)
            else { throw damagedTenant }
            var tenant = TenantRecord(
                id: id, plan: row.text(1), displayName: row.text(2), timeZone: row.text(3), state: state,
                subscription: subscription, createdAt: Instant(microseconds: row.integer(5)))
            if let at = row.optionalInteger(9) {
                guard let next = row.subscription(8) else { throw damagedTenant }
                tenant.next = TenantRecord.Turn(
                    plan: row.text(7), subscription: next, at: Instant(microseconds: at))
            }
            if !row.isNull(10) {
                tenant.origin = TenantRecord.Origin(
                    plan: row.text(10), displayName: row.text(11), timeZone: row.text(12))
            }
            tenants.append(tenant)
            return true
        }
        return tenants
    }

    private var damagedTenant: StorageError { .corrupt(database, "the row of a tenant is damaged") }

    func insert(_ tenant: TenantRecord) throws(StorageError) {
        try write(tenant, "INSERT INTO")
    }

    func update(_ tenant: TenantRecord) throws(StorageError) {
        try write(tenant, "REPLACE INTO")
    }

    private func write(_ tenant: TenantRecord, _ verb: String) throws(StorageError) {
        let sql = """
            \(verb) tenants (id, plan, display_name, time_zone, state, created_at, subscription, next_plan,
                next_subscription, next_at, made_plan, made_display_name, made_time_zone)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """
        try database.statement(sql).run { values in
            values.text(tenant.id.description)
            values.text(tenant.plan)
            values.text(tenant.displayName)
            values.text(tenant.timeZone)
            values.integer(Int64(tenant.state.rawValue))
            values.integer(tenant.createdAt.microseconds)
            values.integer(Int64(tenant.subscription.rawValue))
            values.optionalText(tenant.next?.plan)
            values.integer((tenant.next?.subscription.rawValue).map { Int64($0) })
            values.integer(tenant.next?.at.microseconds)
            values.optionalText(tenant.origin?.plan)
            values.optionalText(tenant.origin?.displayName)
            values.optionalText(tenant.origin?.timeZone)
        }
    }

    // MARK: - Keys

    private func keys() throws(StorageError) -> [KeyRecord] {
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

    func insert(_ key: KeyRecord) throws(StorageError) {
        let sql = "INSERT INTO keys (key_id, tenant, role, name, digest, created_at) VALUES (?, ?, ?, ?, ?, ?)"
        try database.statement(sql).run { values in
            values.text(key.keyID)
            values.optionalText(key.tenant?.description)
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

extension Row {
    /// How a subscription stands; nil for what is no such thing.
    fileprivate func subscription(_ column: Int32) -> SubscriptionState? {
        UInt8(exactly: integer(column)).flatMap(SubscriptionState.init(rawValue:))
    }
}

extension Bindings {
    mutating func optionalText(_ value: String?) {
        if let value { text(value) } else { integer(nil) }
    }
}

import Ledger

/// The tables beside tenants and keys.
extension DirectoryFile {
    // MARK: - Members

    /// By tenant, sorted by id.
    func members() throws(StorageError) -> [TenantID: [MemberRecord]] {
        var members: [TenantID: [MemberRecord]] = [:]
        // The table's own order is that of the ids' bytes, as it is in memory.
        let sql = "SELECT tenant, member_id, role, display_name, created_at FROM members ORDER BY tenant, member_id"
        try database.statement(sql).rows { (row) throws(StorageError) in
            guard let tenant = TenantID(row.text(0)) else {
                throw .corrupt(database, "the row of a member is damaged")
            }
            members[tenant, default: []].append(
                MemberRecord(
                    memberID: MemberID(row.text(1)), role: row.text(2), displayName: row.text(3),
                    createdAt: Instant(microseconds: row.integer(4))))
            return true
        }
        return members
    }

    func set(_ member: MemberRecord, of tenant: TenantID) throws(StorageError) {
        let sql = "REPLACE INTO members (tenant, member_id, role, display_name, created_at) VALUES (?, ?, ?, ?, ?)"
        try database.statement(sql).run { values in
            values.text(tenant.description)
            values.text(member.memberID.description)
            values.text(member.role)
            values.text(member.displayName)
            values.integer(member.createdAt.microseconds)
        }
    }

    func removeMember(_ id: MemberID, of tenant: TenantID) throws(StorageError) {
        try database.statement("DELETE FROM members WHERE tenant = ? AND member_id = ?").run { values in
            values.text(tenant.description)
            values.text(id.description)
        }
    }

    // MARK: - The outbox

    /// The ids of the notes that are owed, and the highest place of them.
    func owed() throws(StorageError) -> (ids: Set<StepID>, lastPlace: Int64) {
        var ids: Set<StepID> = []
        var lastPlace: Int64 = 0
        try database.statement("SELECT id, place FROM outbox").rows { (row) throws(StorageError) in
            let place = row.integer(1)
            guard let id = row.id(0), place < .max >> 1 else { throw damagedNote }
            ids.insert(id)
            lastPlace = max(lastPlace, place)
            return true
        }
        return (ids, lastPlace)
    }

    private var damagedNote: StorageError { .corrupt(database, "the row of a note that is owed is damaged") }

    func insert(_ note: DirectoryNote, at place: Int64) throws(StorageError) {
        let sql = "INSERT INTO outbox (place, id, tenant, body, at) VALUES (?, ?, ?, ?, ?)"
        try database.statement(sql).run { values in
            values.integer(place)
            values.id(note.id)
            values.text(note.tenant.description)
            note.body.withUnsafeBytes { values.blob($0) }
            values.integer(note.at.microseconds)
        }
    }

    func removeNote(_ id: StepID) throws(StorageError) {
        try database.statement("DELETE FROM outbox WHERE id = ?").run { $0.id(id) }
    }

    func outbox(of tenant: TenantID?, after place: Int64, limit: Int) throws(StorageError) -> [OwedNote] {
        var notes: [OwedNote] = []
        let sql =
            "SELECT place, id, tenant, body, at FROM outbox WHERE "
            + (tenant == nil ? "" : "tenant = ?3 AND ") + "place > ?1 ORDER BY place LIMIT ?2"
        try database.statement(sql).rows { values in
            values.integer(place)
            values.integer(Int64(limit))
            if let tenant { values.text(tenant.description) }
        } _: { (row) throws(StorageError) in
            guard let id = row.id(1), let tenant = TenantID(row.text(2)) else { throw damagedNote }
            let note = DirectoryNote(
                id: id, tenant: tenant, body: Array(row.blob(3)), at: Instant(microseconds: row.integer(4)))
            notes.append(OwedNote(place: row.integer(0), note: note))
            return true
        }
        return notes
    }

    // MARK: - Catalogs

    /// The oldest first.
    func catalogs() throws(StorageError) -> [CatalogRecord] {
        var catalogs: [CatalogRecord] = []
        let sql = "SELECT version, applied_at, json FROM catalogs ORDER BY version"
        try database.statement(sql).rows { (row) throws(StorageError) in
            catalogs.append(
                CatalogRecord(
                    version: row.integer(0), appliedAt: Instant(microseconds: row.integer(1)),
                    json: Array(row.blob(2))))
            return true
        }
        return catalogs
    }

    func insert(_ catalog: CatalogRecord) throws(StorageError) {
        try database.statement("INSERT INTO catalogs (version, applied_at, json) VALUES (?, ?, ?)").run { values in
            values.integer(catalog.version)
            values.integer(catalog.appliedAt.microseconds)
            catalog.json.withUnsafeBytes { values.blob($0) }
        }
    }

    func removeCatalogs(before version: Int64) throws(StorageError) {
        try database.statement("DELETE FROM catalogs WHERE version < ?").run { $0.integer(version) }
    }
}

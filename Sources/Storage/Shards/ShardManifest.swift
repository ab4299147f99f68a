import Locks

/// What the shards are known to hold durably, by tenant: `manifest.sqlite`, beside the shards' folders.
///
/// The journal is trimmed only behind what stands here, so that of a shard that is missing, or older than it says here,
/// something is lost; and a shard that is not listed, which the process that made it never vouched for, is in the journal
/// from its first record on and is made anew.
///
/// `@unchecked Sendable`: everything mutable is guarded by `lock`.
final class ShardManifest: @unchecked Sendable {
    private struct Content {
        var positions: [TenantID: UInt64] = [:]
        var trimmedThrough: UInt64 = 0
    }

    private let path: String
    private let fileSystem: any FileSystem
    private let mayWrite: Bool
    private let lock = Lock()
    private var database: Database?
    private var content: Content?

    static let name = "manifest.sqlite"

    /// - Parameters:
    ///   - folder: that of the shards. The file is made when there is something to write down.
    ///   - mayWrite: False for those who look beside a server.
    init(folder: String, fileSystem: any FileSystem, mayWrite: Bool = true) {
        path = folder + "/" + Self.name
        self.fileSystem = fileSystem
        self.mayWrite = mayWrite
    }

    /// The journal's record up to which the tenant's shard has been made durable; nil where that never happened.
    func position(of tenant: TenantID) throws(StorageError) -> UInt64? {
        try lock.locked { () throws(StorageError) in try loaded().positions[tenant] }
    }

    func positions() throws(StorageError) -> [TenantID: UInt64] {
        try lock.locked { () throws(StorageError) in try loaded().positions }
    }

    func tenants() throws(StorageError) -> [TenantID] {
        try lock.locked { () throws(StorageError) in Array(try loaded().positions.keys) }
    }

    /// The journal's last record that may have been trimmed.
    func trimmedThrough() throws(StorageError) -> UInt64 {
        try lock.locked { () throws(StorageError) in try loaded().trimmedThrough }
    }

    /// The shards are durable up to these records. Durable itself when it returns.
    func list(_ positions: [TenantID: UInt64]) throws(StorageError) {
        guard !positions.isEmpty else { return }
        try change { (content, database) throws(StorageError) in
            let insert = try database.statement("INSERT OR REPLACE INTO shards (tenant, position) VALUES (?, ?)")
            for (tenant, position) in positions {
                try insert.run { values in
                    values.text(tenant.description)
                    values.integer(position)
                }
                content.positions[tenant] = position
            }
        }
    }

    func remove(_ tenant: TenantID) throws(StorageError) {
        guard try position(of: tenant) != nil else { return }
        try change { (content, database) throws(StorageError) in
            try database.statement("DELETE FROM shards WHERE tenant = ?").run { $0.text(tenant.description) }
            content.positions[tenant] = nil
        }
    }

    /// The journal is about to be trimmed through this record.
    func willTrim(through position: UInt64) throws(StorageError) {
        guard try trimmedThrough() < position else { return }
        try change { (content, database) throws(StorageError) in
            try database.statement("UPDATE journal SET trimmed_through = ?").run { $0.integer(position) }
            content.trimmedThrough = position
        }
    }

    func close() {
        lock.locked {
            database?.closeWithoutLog()
            database = nil
        }
    }

    /// As the file has it; for those who read beside a server.
    static func positions(
        inFolder folder: String, _ fileSystem: any FileSystem
    ) throws(StorageError) -> [TenantID: UInt64] {
        let manifest = ShardManifest(folder: folder, fileSystem: fileSystem, mayWrite: false)
        defer { manifest.close() }
        return try manifest.loaded().positions
    }

    // MARK: - The file

    private static let create = """
        CREATE TABLE shards (tenant TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE journal (trimmed_through INTEGER NOT NULL);
        INSERT INTO journal VALUES (0);
        """

    /// What `positions` and the like read; the lock is held.
    private func loaded() throws(StorageError) -> Content {
        if let content { return content }
        var content = Content()
        if try fileSystem.exists(path) {
            // Its making may have been interrupted, which only who may write can undo.
            if mayWrite {
                content = try read(try opened())
                self.content = content
                return content
            }
            let file = try Database(
                path: path, .readOnly, setup: ShardSchema.readOnlySetup, vfs: fileSystem.sqliteVFS)
            defer { file.close() }
            content = try read(file)
        }
        self.content = content
        return content
    }

    private func read(_ file: Database) throws(StorageError) -> Content {
        var content = Content()
        // A file whose making was interrupted lists nothing.
        let tables = try file.statement("SELECT count(*) FROM sqlite_schema").first { $0.integer(0) }
        guard tables != 0 else { return content }
        try file.statement("SELECT tenant, position FROM shards").rows { (row) throws(StorageError) in
            guard let tenant = TenantID(row.text(0)) else {
                throw .corrupt(file, "it names a tenant that cannot be: \(row.text(0))")
            }
            content.positions[tenant] = row.unsigned(1)
            return true
        }
        let trimmed = try file.statement("SELECT trimmed_through FROM journal").first { $0.unsigned(0) }
        guard let trimmed else { throw .corrupt(file, "it does not say how far the journal was trimmed") }
        content.trimmedThrough = trimmed
        return content
    }

    /// One transaction, synced; memory follows when it is through.
    private func change(
        _ body: (inout Content, Database) throws(StorageError) -> Void
    ) throws(StorageError) {
        try lock.locked { () throws(StorageError) in
            content = try DescriptorReserve.shared.lend { () throws(StorageError) in
                var changed = try loaded()
                let database = try opened()
                do throws(StorageError) {
                    try database.transaction { () throws(StorageError) in try body(&changed, database) }
                } catch {
                    // Whatever the file's log looks like now, the next change begins from what is on the disk.
                    database.close()
                    self.database = nil
                    throw error
                }
                return changed
            }
        }
    }

    private func opened() throws(StorageError) -> Database {
        if let database { return database }
        // Its end may stand in the kernel's memory alone, where a sync failed before.
        try fileSystem.makeDurable(log: path + "-wal")
        let database = try Database(
            path: path, .create,
            setup: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF",
            vfs: fileSystem.sqliteVFS)
        let tables = try database.statement("SELECT count(*) FROM sqlite_schema").first { $0.integer(0) }
        if tables == 0 {
            try database.transaction { () throws(StorageError) in try database.execute(Self.create) }
            try fileSystem.syncDirectory(String(path.dropLast(Self.name.count + 1)))
        }
        self.database = database
        return database
    }
}

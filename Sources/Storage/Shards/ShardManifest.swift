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
        var extents: [TenantID: ShardExtent] = [:]
        var trimmedThrough: UInt64 = 0
    }

    private let folder: String
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
    ///   - name: Another one while it is made anew.
    init(folder: String, fileSystem: any FileSystem, mayWrite: Bool = true, name: String = ShardManifest.name) {
        self.folder = folder
        path = folder + "/" + name
        self.fileSystem = fileSystem
        self.mayWrite = mayWrite
    }

    /// The journal's record up to which the tenant's shard has been made durable; nil where that never happened.
    func position(of tenant: TenantID) throws(StorageError) -> UInt64? {
        try lock.locked { () throws(StorageError) in try loaded().extents[tenant]?.position }
    }

    /// How far it went then; its sequence is 0 where an older build listed it.
    func extent(of tenant: TenantID) throws(StorageError) -> ShardExtent? {
        try lock.locked { () throws(StorageError) in try loaded().extents[tenant] }
    }

    func extents() throws(StorageError) -> [TenantID: ShardExtent] {
        try lock.locked { () throws(StorageError) in try loaded().extents }
    }

    func tenants() throws(StorageError) -> [TenantID] {
        try lock.locked { () throws(StorageError) in Array(try loaded().extents.keys) }
    }

    /// The journal's last record that may have been trimmed.
    func trimmedThrough() throws(StorageError) -> UInt64 {
        try lock.locked { () throws(StorageError) in try loaded().trimmedThrough }
    }

    /// It vouches for nothing: as it is before the first shard was made durable, or where the file is gone.
    func isEmpty() throws(StorageError) -> Bool {
        try lock.locked { () throws(StorageError) in
            let content = try loaded()
            return content.extents.isEmpty && content.trimmedThrough == 0
        }
    }

    /// The shards are durable this far. Durable itself when it returns.
    func list(_ extents: [TenantID: ShardExtent]) throws(StorageError) {
        guard !extents.isEmpty else { return }
        try change { (content, database) throws(StorageError) in
            let insert = try database.statement(
                "INSERT OR REPLACE INTO shards (tenant, position, sequence) VALUES (?, ?, ?)")
            for (tenant, extent) in extents {
                try insert.run { values in
                    values.text(tenant.description)
                    values.integer(extent.position)
                    values.integer(extent.sequence)
                }
                content.extents[tenant] = extent
            }
        }
    }

    func remove(_ tenant: TenantID) throws(StorageError) {
        guard try position(of: tenant) != nil else { return }
        try change { (content, database) throws(StorageError) in
            try database.statement("DELETE FROM shards WHERE tenant = ?").run { $0.text(tenant.description) }
            content.extents[tenant] = nil
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
    static func extents(
        inFolder folder: String, _ fileSystem: any FileSystem
    ) throws(StorageError) -> [TenantID: ShardExtent] {
        let manifest = ShardManifest(folder: folder, fileSystem: fileSystem, mayWrite: false)
        defer { manifest.close() }
        return try manifest.loaded().extents
    }

    /// Leaves one durable file without a log, whatever it lists; its name is the caller's to make durable.
    fileprivate func finish() throws(StorageError) {
        try lock.locked { () throws(StorageError) in
            let database = try opened()
            guard try database.checkpoint() else {
                throw .conflict("\(path) is being read by another process; try again")
            }
            database.close()
            self.database = nil
        }
        for part in ["-wal", "-shm"] where try fileSystem.exists(path + part) { try fileSystem.remove(path + part) }
        let file = try fileSystem.open(path, .existing)
        defer { file.close() }
        try file.sync()
    }

    // MARK: - The file

    private static let create = """
        CREATE TABLE shards (
            tenant TEXT PRIMARY KEY, position INTEGER NOT NULL, sequence INTEGER NOT NULL DEFAULT 0
        ) WITHOUT ROWID;
        CREATE TABLE journal (trimmed_through INTEGER NOT NULL);
        INSERT INTO journal VALUES (0);
        """

    /// What `positions` and the like read; the lock is held.
    private func loaded() throws(StorageError) -> Content {
        if let content { return content }
        do throws(StorageError) {
            let content = try readFile()
            self.content = content
            return content
        } catch {
            throw error.isCorruption ? .damagedManifest(path: path, reason: error.reason) : error
        }
    }

    private func readFile() throws(StorageError) -> Content {
        guard try fileSystem.exists(path) else { return Content() }
        // Its making may have been interrupted, which only who may write can undo.
        if mayWrite { return try read(try opened()) }
        let file = try Database(path: path, .readOnly, setup: ShardSchema.readOnlySetup, vfs: fileSystem.sqliteVFS)
        defer { file.close() }
        return try read(file)
    }

    private func read(_ file: Database) throws(StorageError) -> Content {
        var content = Content()
        // A file whose making was interrupted lists nothing.
        let tables = try file.statement("SELECT count(*) FROM sqlite_schema").first { $0.integer(0) }
        guard tables != 0 else { return content }
        let sequence = try Self.hasSequences(file) ? "sequence" : "0"
        try file.statement("SELECT tenant, position, \(sequence) FROM shards").rows { (row) throws(StorageError) in
            guard let tenant = TenantID(row.text(0)) else {
                throw .corrupt(file, "it names a tenant that cannot be: \(row.text(0))")
            }
            content.extents[tenant] = ShardExtent(position: row.unsigned(1), sequence: row.unsigned(2))
            return true
        }
        let trimmed = try file.statement("SELECT trimmed_through FROM journal").first { $0.unsigned(0) }
        guard let trimmed else { throw .corrupt(file, "it does not say how far the journal was trimmed") }
        content.trimmedThrough = trimmed
        return content
    }

    /// False for a file that an older build made.
    private static func hasSequences(_ file: Database) throws(StorageError) -> Bool {
        try file.statement("SELECT count(*) FROM pragma_table_info('shards') WHERE name = 'sequence'").first {
            $0.integer(0)
        } == 1
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
            try fileSystem.syncDirectory(folder)
        } else if try !Self.hasSequences(database) {
            try database.execute("ALTER TABLE shards ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0")
        }
        self.database = database
        return database
    }
}

extension ShardManifest {
    /// Puts a manifest that lists this into the place of one that is damaged or gone. It is made under another name, so that
    /// half of one is never taken for it; what was there is kept under a name of its own.
    ///
    /// - Returns: that name; nil where nothing was there.
    static func replace(
        inFolder folder: String, extents: [TenantID: ShardExtent], trimmedThrough: UInt64, _ fileSystem: any FileSystem
    ) throws(StorageError) -> String? {
        let names = ShardNames(file: folder + "/" + name)
        let new = names.file + ".new"
        for part in ["", "-wal", "-shm", "-journal"] where try fileSystem.exists(new + part) {
            try fileSystem.remove(new + part)
        }
        let manifest = ShardManifest(folder: folder, fileSystem: fileSystem, name: name + ".new")
        defer { manifest.close() }
        try manifest.list(extents)
        try manifest.willTrim(through: trimmedThrough)
        try manifest.finish()

        var aside: String?
        if try fileSystem.exists(names.file) {
            aside = try names.setAsideFile(fileSystem)
        } else {
            // Where only its name had been changed when a process before this one ended.
            try names.moveLog(to: try names.setAside(fileSystem).first ?? names.setAside(1), fileSystem)
            try fileSystem.syncDirectory(folder)
        }
        try fileSystem.rename(new, to: names.file)
        try fileSystem.syncDirectory(folder)
        return aside
    }
}

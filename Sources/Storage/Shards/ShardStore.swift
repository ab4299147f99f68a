import Ledger
import Locks

/// What a tenant's shard knows of its book, from which memory goes on.
package struct LoadedBook: Sendable {
    package var snapshot: BookSnapshot
    /// The last journal record that the shard holds.
    package var position: UInt64
}

/// How far a shard goes.
package struct ShardExtent: Equatable, Sendable {
    /// The last journal record that it holds.
    package var position: UInt64 = 0
    /// The last entry of its book.
    package var sequence: UInt64 = 0

    package init() {}

    init(position: UInt64, sequence: UInt64) {
        self.position = position
        self.sequence = sequence
    }

    init(_ meta: ShardMeta) {
        position = meta.position
        sequence = meta.sequence
    }
}

/// The tenants' books on disk: one SQLite file each, made when the first entries come. May be used from many threads; work on
/// one tenant is done by one at a time.
package final class ShardStore: Sendable {
    struct Unsynced {
        /// Shards that took records since they were last made durable, and how far they then went.
        var extents: [TenantID: ShardExtent] = [:]
        /// Those whose files this process found damaged.
        var setAside: [TenantID: SetAside] = [:]
    }

    let path: String
    let fileSystem: any FileSystem
    private let bounds: ShardBounds
    let logs: ShardLogs
    private let pool: ShardPool
    let manifest: ShardManifest
    let notice: @Sendable (ShardNotice) -> Void
    let unsynced = Protected(Unsynced())

    /// - Parameters:
    ///   - path: `shards` of a data directory; it must be there.
    ///   - mayWrite: False for those who look beside a server.
    ///   - notice: told on the thread that met with it.
    package init(
        path: String, bounds: ShardBounds = ShardBounds(), fileSystem: any FileSystem = LocalFileSystem(),
        mayWrite: Bool = true, notice: @escaping @Sendable (ShardNotice) -> Void = { _ in }
    ) {
        self.notice = notice
        self.path = path
        self.fileSystem = fileSystem
        logs = ShardLogs(fileSystem)
        self.bounds = bounds
        pool = ShardPool(
            capacity: bounds.openShards, checkpointOnCloseBytes: bounds.checkpointBytes / 16, logs: logs)
        manifest = ShardManifest(folder: path, fileSystem: fileSystem, mayWrite: mayWrite)
    }

    /// Shards that are open now.
    package var openCount: Int { pool.openCount }

    // MARK: - The engine's part

    /// The tenant's book; nil where it has none.
    package func load(_ tenant: TenantID) throws(StorageError) -> LoadedBook? {
        try read(tenant) { (shard) throws(StorageError) in try shard.load() }
    }

    /// How far the shard goes; nil where there is none.
    package func extent(_ tenant: TenantID) throws(StorageError) -> ShardExtent? {
        try read(tenant) { (shard) in ShardExtent(shard.meta) }
    }

    /// Takes the journal's records of the tenant, which must be new, in one transaction. They survive the end of the process
    /// at once, and a power cut once `makeDurable` has returned.
    /// - Parameter turns: Ended every few records; nil where all is done in one go.
    @discardableResult
    package func apply(
        _ tenant: TenantID, _ records: RecordRun, in turns: ShortTurns? = nil
    ) throws(StorageError) -> ShardExtent {
        let isMuch = records.count >= StorageLimits.muchRecords
        return try use(tenant, isMuch: isMuch) { (slot) throws(StorageError) in
            // Opened while nobody might write it, it may be written by now.
            if let shard = slot.shard, shard.database.isReadOnly {
                shard.close()
                slot.shard = nil
            }
            let shard = try openOrMake(tenant, in: slot, for: records)
            do throws(StorageError) {
                try shard.apply(records, in: turns)
            } catch {
                logs.distrust(tenant)
                throw error
            }
            unsynced.withLock { $0.extents[tenant] = ShardExtent(shard.meta) }
            logs.checkpoint(shard, above: bounds.checkpointBytes)
            return ShardExtent(shard.meta)
        }
    }

    /// What memory has let go of.
    package func recall(_ tenant: TenantID, _ recall: Recall) throws(StorageError) -> Recalled {
        try read(tenant) { (shard) throws(StorageError) in try shard.recall(recall) } ?? Recalled()
    }

    /// The tenants that have a file, or should have one, sorted.
    package func tenants() throws(StorageError) -> [TenantID] {
        let files = try Self.tenantsWithFiles(in: path, fileSystem) { $0 == Self.suffix }
        return files.union(try manifest.tenants()).sorted()
    }

    /// By tenant, how far its shard was made durable.
    package func listed() throws(StorageError) -> [TenantID: ShardExtent] { try manifest.extents() }

    /// By tenant, how far its shard was made durable; for those who look at the files beside a server.
    package static func listed(
        in shards: String, fileSystem: any FileSystem = LocalFileSystem()
    ) throws(StorageError) -> [TenantID: ShardExtent] {
        try ShardManifest.extents(inFolder: shards, fileSystem)
    }

    // MARK: - Housekeeping

    /// Closes the shards that nobody uses at the moment.
    package func closeIdle() { pool.closeIdle() }

    /// Closes everything; nobody may be using a shard any more.
    ///
    /// - Parameter isLate: True from when on logs stay as they are, to be read again by who opens the shards next.
    package func close(isLate: () -> Bool = { false }) {
        pool.closeIdle(isLate: isLate)
        manifest.close()
    }

    /// Removes the tenant's book for good.
    package func delete(_ tenant: TenantID) throws(StorageError) {
        try pool.with(tenant) { (slot) throws(StorageError) in
            slot.shard?.close()
            slot.shard = nil
            // What is not listed any more counts for nothing, should the process end before the files are gone.
            try manifest.remove(tenant)
            guard try fileSystem.exists(file(of: tenant)) else { return }
            try removeFiles(of: tenant)
            try fileSystem.syncDirectory(folder(of: tenant))
        }
    }

    /// Proves the tenant's book; see `BookVerifier`.
    package func verify(_ tenant: TenantID) throws(StorageError) -> BookVerdict {
        try BookVerifier(
            path: file(of: tenant), tenant: tenant, listedThrough: try manifest.position(of: tenant),
            fileSystem: fileSystem
        ).verify()
    }

    // MARK: - Files

    static let suffix = ".sqlite"

    package static func file(of tenant: TenantID, in shards: String) -> String {
        "\(shards)/\(tenant.folder)/\(tenant)\(suffix)"
    }

    private func folder(of tenant: TenantID) -> String { path + "/" + tenant.folder }

    func file(of tenant: TenantID) -> String { Self.file(of: tenant, in: path) }

    private func removeFiles(of tenant: TenantID) throws(StorageError) {
        let file = file(of: tenant)
        for part in [file, file + "-wal", file + "-shm"] where try fileSystem.exists(part) {
            try fileSystem.remove(part)
        }
        unsynced.withLock { unsynced in
            unsynced.extents[tenant] = nil
            unsynced.setAside[tenant] = nil
        }
        logs.forget(tenant)
    }

    // MARK: - Opening

    /// Runs `body` alone with the tenant's slot. A file that shows to be damaged is set aside.
    func use<Result>(
        _ tenant: TenantID, isMuch: Bool = false, _ body: (ShardPool.Slot) throws(StorageError) -> Result
    ) throws(StorageError) -> Result {
        try pool.with(tenant, isMuch: isMuch) { (slot) throws(StorageError) in
            do throws(StorageError) {
                return try body(slot)
            } catch {
                throw setAside(tenant, in: slot, error)
            }
        }
    }

    /// Runs `body` on the tenant's shard; nil where it has none.
    func read<Result>(
        _ tenant: TenantID, _ body: (Shard) throws(StorageError) -> Result
    ) throws(StorageError) -> Result? {
        try use(tenant) { (slot) throws(StorageError) in
            guard let shard = try openExisting(tenant, in: slot) else { return nil }
            return try body(shard)
        }
    }

    /// The tenant's shard; nil where there is none that counts.
    private func openExisting(_ tenant: TenantID, in slot: ShardPool.Slot) throws(StorageError) -> Shard? {
        if let shard = slot.shard { return shard }
        let file = file(of: tenant)
        let listed = try manifest.position(of: tenant)
        guard listed != nil || logs.isMade(tenant) else { return nil }
        if try !fileSystem.exists(file) { try replaceMissing(tenant, listed: listed) }
        let shard = try Shard(
            tenant: tenant, path: file, isBrief: slot.isBrief, pageCacheKiB: bounds.pageCacheKiB, fileSystem)
        if let listed, shard.meta.position < listed {
            shard.close()
            throw .oldShard(path: file, position: shard.meta.position, listedThrough: listed)
        }
        slot.shard = shard
        return shard
    }

    /// The tenant's shard, made where there is none that counts.
    private func openOrMake(
        _ tenant: TenantID, in slot: ShardPool.Slot, for records: RecordRun
    ) throws(StorageError) -> Shard {
        if let shard = try openExisting(tenant, in: slot) { return shard }
        let file = file(of: tenant)
        if try fileSystem.exists(file) {
            // Left by a process that never vouched for it: the journal has all of it.
            guard records.beginsBook else {
                throw .misplaced(
                    path: file,
                    reason:
                        "\(ShardManifest.name) does not list it, and the journal does not have its book from the beginning; "
                        + "was it copied here?")
            }
        }
        // Also where only a log is left: it would be taken for the new file's.
        try removeFiles(of: tenant)
        try fileSystem.makeDirectory(folder(of: tenant))
        try Shard.make(path: file, fileSystem)
        logs.wasMade(tenant)
        let shard = try Shard(
            tenant: tenant, path: file, isBrief: slot.isBrief, pageCacheKiB: bounds.pageCacheKiB, fileSystem)
        slot.shard = shard
        return shard
    }
}

// MARK: - Durability

extension ShardStore {
    /// Makes what was applied to these shards survive a power cut and lists it in the manifest; the journal may then be
    /// trimmed behind it.
    ///
    /// - Returns: those of which it failed, and why; nothing is listed of them.
    package func makeDurable(_ tenants: some Collection<TenantID>) -> [TenantID: StorageError] {
        var extents = unsynced.withLock { unsynced in
            tenants.reduce(into: [:]) { $0[$1] = unsynced.extents[$1] }
        }
        var failures: [TenantID: StorageError] = [:]
        // Those that held what they were to take already, from a process before this one.
        for tenant in tenants where extents[tenant] == nil {
            do throws(StorageError) {
                extents[tenant] = try extent(tenant)
            } catch {
                failures[tenant] = error
            }
        }
        do throws(StorageError) {
            try syncMade(of: extents.keys)
            if extents.count > StorageLimits.singleSyncs { try syncAll(extents.keys) }
            for tenant in extents.keys {
                do throws(StorageError) {
                    try sync(tenant, isSynced: extents.count > StorageLimits.singleSyncs)
                } catch {
                    failures[tenant] = error
                }
            }
            try manifest.list(extents.filter { failures[$0.key] == nil })
        } catch {
            for tenant in extents.keys { failures[tenant] = error }
            return failures
        }
        unsynced.withLock { unsynced in
            for (tenant, extent) in extents
            where failures[tenant] == nil && unsynced.extents[tenant] == extent {
                unsynced.extents[tenant] = nil
            }
        }
        return failures
    }

    /// The journal is about to be trimmed through this record, as the shards hold what they need of it.
    package func willTrimJournal(through position: UInt64) throws(StorageError) {
        try manifest.willTrim(through: position)
    }

    /// Makes the folders of new files survive.
    private func syncMade(of tenants: some Collection<TenantID>) throws(StorageError) {
        if tenants.contains(where: logs.isMade) { try fileSystem.syncDirectory(path) }
    }

    /// All of the disk at once, where there are many shards. Where that fails nobody knows whose bytes were lost.
    private func syncAll(_ tenants: some Collection<TenantID>) throws(StorageError) {
        do throws(StorageError) {
            try fileSystem.syncAll(path)
        } catch {
            logs.distrustAll()
            throw error
        }
    }

    private func sync(_ tenant: TenantID, isSynced: Bool) throws(StorageError) {
        do throws(StorageError) {
            try pool.with(tenant) { (slot) throws(StorageError) in
                // What was set aside meanwhile, or is gone, is not vouched for: the journal keeps what it had.
                guard try fileSystem.exists(file(of: tenant)) else {
                    throw .lostShard(path: file(of: tenant), listedThrough: try manifest.position(of: tenant) ?? 0)
                }
                if try !logs.renew(tenant, at: file(of: tenant)), isSynced { return }
                if let shard = slot.shard { try shard.database.sync() } else { try syncClosed(tenant) }
                // A log may be younger than its shard: it is made when a shard without one is opened.
                try fileSystem.syncDirectory(folder(of: tenant))
            }
        } catch {
            logs.distrust(tenant)
            throw error
        }
    }

    private func syncClosed(_ tenant: TenantID) throws(StorageError) {
        for part in ["", "-wal"] where try fileSystem.exists(file(of: tenant) + part) {
            let file = try fileSystem.open(file(of: tenant) + part, .existing)
            defer { file.close() }
            try file.sync()
        }
    }
}

extension RecordRun {
    /// Its first entry is the first of a book.
    fileprivate var beginsBook: Bool {
        var first: UInt64?
        forEach { (_, record) in
            guard first == nil, var entries = try? EntryViews(ofRecord: record) else { return }
            while first == nil, let entry = try? entries.next() {
                // Refusals are not numbered.
                if entry.kind != .refusal { first = entry.sequence }
            }
        }
        return (first ?? 1) == 1
    }
}

import Ledger
import Synchronization

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

    init(_ meta: ShardMeta) {
        position = meta.position
        sequence = meta.sequence
    }
}

/// The tenants' books on disk: one SQLite file each, made when the first entries come. May be used from many threads; work on
/// one tenant is done by one at a time.
package final class ShardStore: Sendable {
    private let path: String
    private let fileSystem: any FileSystem
    private let pool: ShardPool
    /// Folders that got a new file since they were synced, and shards whose log failed to sync: the kernel reports that once
    /// and then forgets, so that only a checkpoint, which writes everything anew, makes them trustworthy again.
    private let unsynced = Mutex((folders: Set<String>(), shards: Set<TenantID>()))

    /// - Parameter path: `shards` of a data directory; it must be there.
    package init(
        path: String, maxOpenShards: Int = StorageLimits.maxOpenShards, fileSystem: any FileSystem = LocalFileSystem()
    ) {
        self.path = path
        self.fileSystem = fileSystem
        pool = ShardPool(capacity: maxOpenShards)
    }

    /// Shards that are open now, at most.
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
    @discardableResult
    package func apply(_ tenant: TenantID, _ records: RecordRun) throws(StorageError) -> ShardExtent {
        try pool.with(tenant) { (slot) throws(StorageError) in
            let shard = try open(tenant, in: slot)
            try shard.apply(records)
            shard.checkpointIfLong(above: StorageLimits.checkpointBytes)
            return ShardExtent(shard.meta)
        }
    }

    /// What memory has let go of.
    package func recall(_ tenant: TenantID, _ recall: Recall) throws(StorageError) -> Recalled {
        try read(tenant) { (shard) throws(StorageError) in try shard.recall(recall) } ?? Recalled()
    }

    /// Makes everything that was applied survive a power cut; the journal may then be trimmed behind it.
    package func makeDurable(_ tenant: TenantID) throws(StorageError) {
        try pool.with(tenant) { (slot) throws(StorageError) in
            try syncFolders(of: tenant)
            let log = file(of: tenant) + "-wal"
            guard fileSystem.exists(log) else { return }
            try sync(log, of: tenant)
            guard unsynced.withLock({ $0.shards.contains(tenant) }) else { return }
            guard try open(tenant, in: slot).database.checkpoint() else {
                throw .limit("a sync of \(log) failed, and somebody who reads it keeps it from being written again")
            }
            unsynced.withLock { _ = $0.shards.remove(tenant) }
        }
    }

    // MARK: - Reports

    /// Entries, newest first.
    package func transactions(
        _ tenant: TenantID, query: TransactionQuery
    ) throws(StorageError) -> TransactionPage {
        try read(tenant) { (shard) throws(StorageError) in try shard.transactions(query) } ?? TransactionPage()
    }

    package func reservations(
        _ tenant: TenantID, query: ReservationQuery
    ) throws(StorageError) -> ReservationPage {
        try read(tenant) { (shard) throws(StorageError) in try shard.reservations(query) } ?? ReservationPage()
    }

    /// The tenants that have a file, sorted.
    package func tenants() throws(StorageError) -> [TenantID] {
        var tenants: [TenantID] = []
        for folder in try fileSystem.list(path) where folder.utf8.count == 2 {
            for name in try fileSystem.list(path + "/" + folder) where name.hasSuffix(Self.suffix) {
                if let tenant = TenantID(name.dropLast(Self.suffix.count)) { tenants.append(tenant) }
            }
        }
        return tenants.sorted()
    }

    // MARK: - Housekeeping

    /// Closes the shards that nobody uses at the moment.
    package func closeIdle() { pool.closeIdle() }

    /// Closes everything; nobody may be using a shard any more.
    package func close() { pool.closeIdle() }

    /// Removes the tenant's book for good.
    package func delete(_ tenant: TenantID) throws(StorageError) {
        try pool.with(tenant) { (slot) throws(StorageError) in
            slot.shard?.close()
            slot.shard = nil
            let file = file(of: tenant)
            guard fileSystem.exists(file) else { return }
            // The file goes first: what is left of a log is then thrown away by SQLite when a new file is made.
            for part in [file, file + "-wal", file + "-shm"] where fileSystem.exists(part) {
                try fileSystem.remove(part)
            }
            try fileSystem.syncDirectory(folder(of: tenant))
        }
    }

    /// Proves the tenant's book; see `BookVerifier`.
    package func verify(_ tenant: TenantID) throws(StorageError) -> BookVerdict {
        try BookVerifier(path: file(of: tenant), tenant: tenant).verify()
    }

    // MARK: - Files

    static let suffix = ".sqlite"

    package static func file(of tenant: TenantID, in shards: String) -> String {
        "\(shards)/\(tenant.folder)/\(tenant)\(suffix)"
    }

    private func folder(of tenant: TenantID) -> String { path + "/" + tenant.folder }

    private func file(of tenant: TenantID) -> String { Self.file(of: tenant, in: path) }

    /// Runs `body` on the tenant's shard; nil where it has none.
    private func read<Result>(
        _ tenant: TenantID, _ body: (Shard) throws(StorageError) -> Result
    ) throws(StorageError) -> Result? {
        try pool.with(tenant) { (slot) throws(StorageError) in
            if slot.shard == nil, fileSystem.exists(file(of: tenant)) {
                slot.shard = try Shard(tenant: tenant, path: file(of: tenant), create: false)
            }
            guard let shard = slot.shard else { return nil }
            return try body(shard)
        }
    }

    /// The tenant's shard, made where there is none.
    private func open(_ tenant: TenantID, in slot: ShardPool.Slot) throws(StorageError) -> Shard {
        if let shard = slot.shard { return shard }
        let folder = folder(of: tenant)
        let isNew = !fileSystem.exists(file(of: tenant))
        if isNew {
            try fileSystem.makeDirectory(folder)
            unsynced.withLock { _ = $0.folders.insert(folder) }
        }
        guard let shard = try Shard(tenant: tenant, path: file(of: tenant), create: true) else {
            preconditionFailure("a shard that is to be made is made, or an error says why not")
        }
        slot.shard = shard
        return shard
    }

    private func syncFolders(of tenant: TenantID) throws(StorageError) {
        let folder = folder(of: tenant)
        guard unsynced.withLock({ $0.folders.contains(folder) }) else { return }
        try fileSystem.syncDirectory(path)
        // Forgotten before the sync, so that a file made meanwhile is noted again; noted again where the sync fails.
        unsynced.withLock { _ = $0.folders.remove(folder) }
        do throws(StorageError) {
            try fileSystem.syncDirectory(folder)
        } catch {
            unsynced.withLock { _ = $0.folders.insert(folder) }
            throw error
        }
    }

    private func sync(_ log: String, of tenant: TenantID) throws(StorageError) {
        let file = try fileSystem.open(log, .existing)
        do throws(StorageError) {
            try file.sync()
        } catch {
            unsynced.withLock { _ = $0.shards.insert(tenant) }
            throw error
        }
    }
}

extension Shard {
    /// Moves the log into the file where it has grown. A failure leaves the log, which is as good: nothing is lost.
    func checkpointIfLong(above bytes: Int64) {
        guard database.logBytes > bytes else { return }
        do throws(StorageError) {
            _ = try database.checkpoint()
        } catch {
            // The next checkpoint, or `makeDurable`, meets the same fault and says so.
        }
    }
}

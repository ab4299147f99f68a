/// What the shards' folders have of a tenant, each book proven.
struct ShardRemains {
    enum File {
        case missing
        /// Without a book: its making was cut off, or all of it was lost.
        case empty
        case whole(ShardExtent)
        /// As far as it says how far it went.
        case damaged(ShardExtent?, reason: String)
    }

    private(set) var file = File.missing
    /// How far the files went that were set aside before, as far as that can be read.
    private(set) var setAside: ShardExtent?
    /// A restored file waits to be adopted.
    private(set) var isRestored = false

    static let none = ShardRemains()

    private init() {}

    /// Proves the book, and changes nothing.
    ///
    /// - Parameter hasSetAside: Files of it were set aside: folders are long, and not to be read for each tenant.
    init(
        of tenant: TenantID, in shards: String, hasSetAside: Bool, _ fileSystem: any FileSystem
    ) throws(StorageError) {
        let names = ShardNames(file: ShardStore.file(of: tenant, in: shards))
        if try fileSystem.exists(names.file) { file = try Self.prove(names.file, tenant, fileSystem) }
        isRestored = try fileSystem.exists(names.restored)
        for path in hasSetAside ? try names.setAside(fileSystem) : [] {
            guard let extent = Self.glance(path, tenant, fileSystem) else { continue }
            if extent.sequence >= setAside?.sequence ?? 0 { setAside = extent }
        }
    }

    /// The last record that the file, where it is whole, says to hold.
    var position: UInt64 {
        if case .whole(let extent) = file { extent.position } else { 0 }
    }

    private static func prove(
        _ path: String, _ tenant: TenantID, _ fileSystem: any FileSystem
    ) throws(StorageError) -> File {
        do throws(StorageError) {
            let database = try Database(
                path: path, .readOnly, setup: ShardSchema.readOnlySetup, vfs: fileSystem.sqliteVFS)
            defer { database.close() }
            _ = try ShardMeta.read(from: database, tenant: tenant)
        } catch {
            // Not damage: another build's file, or another tenant's. To set such a one aside might hide all that there is.
            if case .misplaced = error { throw error }
        }
        let verdict = try BookVerifier(path: path, tenant: tenant, fileSystem: fileSystem).verify()
        if let fault = verdict.fault {
            return .damaged(glance(path, tenant, fileSystem), reason: fault.description)
        }
        if verdict.position == 0, verdict.entries == 0 { return .empty }
        return .whole(ShardExtent(position: verdict.position, sequence: verdict.entries))
    }

    /// What a file that is not trusted says of itself.
    private static func glance(_ path: String, _ tenant: TenantID, _ fileSystem: any FileSystem) -> ShardExtent? {
        guard let file = Salvage(path, tenant, fileSystem) else { return nil }
        defer { file.close() }
        return file.extent
    }
}

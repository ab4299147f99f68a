/// Whether manifest, shards and journal are of one another, as far as that shows before a book is opened.
extension ShardStore {
    /// A manifest that is missing, or older than the journal, would let lost books pass for empty ones.
    package func check(_ journal: any Journal) throws(StorageError) {
        try check(journalFrom: journal.firstPosition)
        guard try manifest.isEmpty() else { return }
        // Shards that were restored are in no journal. Those that nobody vouched for are, from their first record on.
        var unknown = try Self.tenantsWithFiles(in: path, fileSystem) { $0.hasPrefix(Self.suffix) }
        guard !unknown.isEmpty else { return }
        try journal.replay(after: 0) { (_, tenant, _) in unknown.remove(tenant) }
        guard let tenant = unknown.min() else { return }
        throw damagedManifest(
            "it is missing or lists nothing, and of books that are there the journal has no record (\(unknown.count), the first "
                + "of tenant \(tenant))")
    }

    /// A journal that begins later than the manifest allows was trimmed for other shards than these.
    func check(journalFrom first: UInt64) throws(StorageError) {
        let trimmed = try manifest.trimmedThrough()
        guard first <= trimmed + 1 else {
            throw damagedManifest(
                "the journal begins at record \(first), and this says that it was trimmed through \(trimmed) at most: the "
                    + "manifest is missing or older than the journal")
        }
    }

    private func damagedManifest(_ reason: String) -> StorageError {
        .damagedManifest(path: path + "/" + ShardManifest.name, reason: reason)
    }

    /// The tenants of which the shards' folders have a file.
    ///
    /// - Parameter isWanted: whether one counts whose name goes on so behind the tenant's.
    static func tenantsWithFiles(
        in shards: String, _ fileSystem: any FileSystem, where isWanted: (Substring) -> Bool
    ) throws(StorageError) -> Set<TenantID> {
        var tenants: Set<TenantID> = []
        for folder in try fileSystem.list(shards) where folder.utf8.count == 2 {
            for name in try fileSystem.list(shards + "/" + folder) {
                // No id of a tenant has a dot.
                let id = name.prefix { $0 != "." }
                if isWanted(name[id.endIndex...]), let tenant = TenantID(id) { tenants.insert(tenant) }
            }
        }
        return tenants
    }
}

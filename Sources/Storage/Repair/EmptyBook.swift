/// Lets a tenant begin anew that is refused though nobody knows whether it ever had a book: of a manifest that was lost nothing
/// else is left of a tenant without files and entries, be it that it never had credits. No server may work in the directory.
package struct EmptyBook {
    package let dataPath: String
    package let tenant: TenantID
    package var fileSystem: any FileSystem = LocalFileSystem()

    package init(dataPath: String, tenant: TenantID) {
        self.dataPath = dataPath
        self.tenant = tenant
    }

    /// Refused where anything is known of the book.
    package func begin() throws(StorageError) {
        let data = try OfflineData(path: dataPath, fileSystem)
        defer { data.close() }
        let (journal, shards) = (data.journal, data.directory.shards)
        let manifest = ShardManifest(folder: shards, fileSystem: fileSystem)
        defer { manifest.close() }
        guard let listed = try manifest.extent(of: tenant) else {
            throw .conflict("nothing is missing of tenant \(tenant): it may begin its book as it is")
        }
        let withFiles = try ShardStore.tenantsWithFiles(in: shards, fileSystem) {
            $0.hasPrefix(ShardStore.suffix)
        }
        let trace = try JournalTrace.traces(of: journal, held: [:])[tenant]
        let isKnown = listed != BookFinding.someEntry || trace != nil || withFiles.contains(tenant)
        guard !isKnown else {
            throw .conflict("tenant \(tenant) had a book, or has one: restore it from a backup instead")
        }
        try manifest.remove(tenant)
    }
}

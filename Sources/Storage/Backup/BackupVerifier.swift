import Ledger

/// Proves a backup: every frame of every file, the chain of hashes up to the head that the manifest names, and each book as
/// `tollgate verify` proves a server's, on a shard that is made of the copy for this purpose and thrown away.
package struct BackupVerifier {
    package let source: String
    package var generation: Int?
    package var only: TenantID?
    /// Where the shards are made, one after the other.
    package let scratch: String
    package var fileSystem: any FileSystem = LocalFileSystem()
    package var progress: (CopyProgress) -> Void = { _ in }

    package struct Report: Sendable {
        package var moment: Instant
        package var generation: Int
        /// By tenant, sorted; an error where the copy itself is damaged.
        package var books: [(tenant: TenantID, verdict: Result<BookVerdict, StorageError>)] = []
        /// Why the directory's copy is of no use; nil where it is.
        package var directoryFault: StorageError?
    }

    package init(source: String, scratch: String) {
        self.source = source
        self.scratch = scratch
    }

    package func verify() throws(StorageError) -> Report {
        let (generation, manifest) = try BackupDirectory(path: source, fileSystem: fileSystem).read(
            generation: generation)
        if let only, manifest.books[only] == nil {
            throw .conflict("the backup in \(source) has no book of tenant \(only)")
        }
        var report = Report(moment: manifest.moment, generation: generation.number)
        do throws(StorageError) {
            try check(try generation.directory(manifest), manifest)
        } catch {
            report.directoryFault = error
        }
        let tenants = only.map { [$0] } ?? manifest.books.keys.sorted()
        for (index, tenant) in tenants.enumerated() {
            progress(CopyProgress(tenant: tenant, done: index, of: tenants.count))
            let book = manifest.books[tenant]!
            let verdict = Result { () throws(StorageError) in try verify(tenant, book, in: generation) }
            report.books.append((tenant, verdict))
        }
        return report
    }

    private func verify(
        _ tenant: TenantID, _ book: BackupManifest.Book, in generation: BackupDirectory.Generation
    ) throws(StorageError) -> BookVerdict {
        let path = scratch + "/book.sqlite"
        var builder = try ShardBuilder(tenant, path: path, position: book.position, fileSystem)
        defer { builder.discard() }
        let restorer = BookRestorer(
            reader: try generation.open(tenant, book), book: book, tenant: tenant, fileSystem: fileSystem)
        do throws(StorageError) {
            _ = try restorer.fill(&builder)
            _ = try builder.finish()
        } catch {
            throw restorer.blaming(error)
        }
        return try BookVerifier(path: path, tenant: tenant, fileSystem: fileSystem).verify()
    }

    /// The directory opens, and has the tenants whose books are here.
    private func check(_ image: [UInt8], _ manifest: BackupManifest) throws(StorageError) {
        let path = scratch + "/directory.sqlite"
        let file = try fileSystem.open(path, .create)
        try file.write(image, at: 0)
        file.close()
        defer { for part in ["", "-wal", "-shm"] { fileSystem.discard(path + part) } }
        let directory = try Directory(path: path, fileSystem: fileSystem)
        defer { directory.close() }
        let tenants = Set(try directory.file.tenantIDs())
        if let stray = manifest.books.keys.first(where: { !tenants.contains($0) }) {
            throw .corrupt(path: source, reason: "the directory's copy has no tenant \(stray), whose book is there")
        }
    }
}

import Ledger

/// What a restore did.
package struct RestoreReport: Sendable {
    /// The moment of the backup.
    package var moment: Instant
    package var generation: Int
    /// Books that were made and proven.
    package var books = 0
    package var tenants = 0
    package var entries: UInt64 = 0
}

/// Makes a new data directory of a backup: every book, or one tenant's, as it was at the backup's moment or at an earlier
/// one. The journal begins anew. What is not whole is no data directory: `VERSION` comes last.
///
/// A book at a moment has the entries dated up to it. What belongs together has one date and is never parted: the entries of
/// a step, a cycle and its grants. The directory is as of the backup: keys that were revoked since stay so, members and
/// catalogs are today's. Tenants that were made later are left out, with their keys; plans and subscriptions are brought
/// into line with the books; and what the directory owed to books by later changes is forgotten.
package struct RestoreRun {
    package let source: String
    package let target: String
    /// Nil for all.
    package var only: TenantID?
    /// Nil for all that the backup has.
    package var until: Instant?
    /// Nil for the newest.
    package var generation: Int?
    package var fileSystem: any FileSystem = LocalFileSystem()
    package var progress: (CopyProgress) -> Void = { _ in }

    package init(source: String, target: String) {
        self.source = source
        self.target = target
    }

    package func run() throws(StorageError) -> RestoreReport {
        let (generation, manifest) = try BackupDirectory(path: source, fileSystem: fileSystem).read(
            generation: generation)
        if let only, manifest.books[only] == nil {
            throw .conflict("the backup in \(source) has no book of tenant \(only)")
        }
        let data = try DataDirectory(restoringInto: target, fileSystem: fileSystem)
        defer { data.close() }
        var report = RestoreReport(moment: manifest.moment, generation: generation.number)
        let directory = try RestoredDirectory(
            path: data.directory, image: try generation.directory(manifest), fileSystem: fileSystem)
        defer { directory.close() }
        try directory.keep(only: only, until: until)

        let tenants = try directory.tenants()
        let manifestOfShards = ShardManifest(folder: data.shards, fileSystem: fileSystem)
        defer { manifestOfShards.close() }
        var folders: Set<String> = []
        var extents: [TenantID: ShardExtent] = [:]
        for (index, tenant) in tenants.enumerated() {
            progress(CopyProgress(tenant: tenant, done: index, of: tenants.count))
            guard let book = manifest.books[tenant] else { continue }
            let file = ShardStore.file(of: tenant, in: data.shards)
            let folder = data.shards + "/" + tenant.folder
            if folders.insert(folder).inserted { try fileSystem.makeDirectory(folder) }
            let restored = try BookRestorer(
                reader: try generation.open(tenant, book), book: book, tenant: tenant, until: until,
                fileSystem: fileSystem
            ).makeShard(at: file, position: 0)
            guard let restored else { continue }
            extents[tenant] = ShardExtent(restored)
            report.books += 1
            report.entries += restored.sequence
            try directory.take(restored.governance, of: tenant)
        }
        report.tenants = tenants.count
        for folder in folders { try fileSystem.syncDirectory(folder) }
        try fileSystem.syncDirectory(data.shards)
        try manifestOfShards.list(extents)
        manifestOfShards.close()
        try directory.finish()
        try data.finishRestore(fileSystem)
        return report
    }
}

/// Makes a tenant's shard of the copy of its book, and proves it.
struct BookRestorer {
    var reader: BookFileReader
    let book: BackupManifest.Book
    let tenant: TenantID
    var until: Instant?
    let fileSystem: any FileSystem

    init(
        reader: BookFileReader, book: BackupManifest.Book, tenant: TenantID, until: Instant? = nil,
        fileSystem: any FileSystem
    ) {
        self.reader = reader
        self.book = book
        self.tenant = tenant
        self.until = until
        self.fileSystem = fileSystem
    }

    /// - Returns: where the book then stands; nil where it has nothing up to the moment, and no file was made.
    func makeShard(at path: String, position: UInt64) throws(StorageError) -> ShardMeta? {
        var builder = try ShardBuilder(tenant, path: path, position: position, fileSystem)
        let meta: ShardMeta
        do throws(StorageError) {
            let count = try fill(&builder)
            if count == 0 {
                builder.discard()
                return nil
            }
            meta = try builder.finish()
        } catch {
            builder.discard()
            throw blaming(error)
        }
        let verdict = try BookVerifier(path: path, tenant: tenant, listedThrough: position, fileSystem: fileSystem)
            .verify()
        if let fault = verdict.fault {
            throw .corrupt(path: reader.path, reason: "what was made of it cannot be proved: \(fault)")
        }
        return meta
    }

    /// Entries that contradict each other name the shard that was being made of them: what is wrong is the copy.
    func blaming(_ error: StorageError) -> StorageError {
        if case .misplaced(_, let reason) = error { return reader.damage(reason) }
        return error
    }

    /// Gives the builder what the copy has, up to the moment. All of the copy is read and checked.
    func fill(_ builder: inout ShardBuilder) throws(StorageError) -> Int {
        var reader = reader
        var count = 0
        var isOver = false
        while let frame = try reader.next(before: book.mark.bytes) {
            let isWhole = try frame.payload.forEach { (body) throws(StorageError) in
                if let until {
                    if isOver, frame.content == .entries { return }
                    let at = try date(of: body)
                    if at > until {
                        if frame.content == .entries { isOver = true }
                        return
                    }
                }
                try builder.add(body)
                count += 1
            }
            guard isWhole else {
                throw reader.damage("a frame before byte \(reader.mark.bytes) is not made of entries")
            }
        }
        guard reader.mark.sequence == book.mark.sequence, reader.mark.head == book.mark.head,
            reader.mark.chain == book.mark.chain
        else { throw reader.damage("it is not the file that \(BackupManifest.name) names") }
        return count
    }

    private func date(of body: UnsafeRawBufferPointer) throws(StorageError) -> Instant {
        do throws(CodecError) {
            return try EntryCodec.decode(body).at
        } catch {
            throw reader.damage("an entry cannot be read: \(error)")
        }
    }
}

/// The directory of a backup on its way into a data directory.
private struct RestoredDirectory {
    private let path: String
    private let fileSystem: any FileSystem
    private let directory: Directory

    init(path: String, image: [UInt8], fileSystem: any FileSystem) throws(StorageError) {
        self.path = path
        self.fileSystem = fileSystem
        let file = try fileSystem.open(path, .create)
        try file.write(image, at: 0)
        try file.sync()
        file.close()
        directory = try Directory(path: path, fileSystem: fileSystem)
    }

    func close() { directory.close() }

    func tenants() throws(StorageError) -> [TenantID] { try directory.file.tenantIDs().sorted() }

    /// Lets go of the tenants that are not to be there, and of what is about them.
    func keep(only: TenantID?, until: Instant?) throws(StorageError) {
        if only == nil, until == nil { return }
        try directory.file.keep(only: only, until: until ?? .distantFuture)
    }

    /// The directory keeps what the book last said.
    func take(_ governance: Governance, of tenant: TenantID) throws(StorageError) {
        _ = try directory.updateTenant(tenant) { $0.take(governance) }
    }

    /// Leaves one durable file.
    func finish() throws(StorageError) {
        guard try directory.file.database.checkpoint() else {
            throw .conflict("\(path) is being read by another process; try again")
        }
        directory.close()
        let file = try fileSystem.open(path, .existing)
        defer { file.close() }
        try file.sync()
    }
}

extension DirectoryFile {
    /// Removes other tenants than this one, those that were made after a moment, and all that is about them.
    fileprivate func keep(only: TenantID?, until: Instant) throws(StorageError) {
        try transaction { () throws(StorageError) in
            try database.statement("DELETE FROM tenants WHERE created_at > ?1 OR (?2 IS NOT NULL AND id <> ?2)").run {
                $0.integer(until.microseconds)
                $0.optionalText(only?.description)
            }
            try database.statement("DELETE FROM outbox WHERE at > ?").run { $0.integer(until.microseconds) }
            for table in ["keys", "members", "outbox"] {
                try database.execute(
                    "DELETE FROM \(table) WHERE tenant IS NOT NULL AND tenant NOT IN (SELECT id FROM tenants)")
            }
        }
    }
}

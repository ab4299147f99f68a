import Ledger

/// What healing a book did.
package struct HealReport: Sendable {
    package var entries: UInt64 = 0
    package var fromBackup: UInt64 = 0
    package var fromFile: UInt64 = 0
    package var fromJournal: UInt64 = 0
    /// False where a server that runs takes the book at its next call.
    package var isAdopted = false
}

/// Makes a tenant's shard anew that is damaged or gone, beside the server that works in the directory or without one: of a
/// backup's entries, of those that can still be read of the files that were set aside, each led to by the chain of hashes,
/// and of the journal, which keeps what no shard was made durable with.
///
/// It is whole where it reaches what the manifest says that the shard held, and then all that the journal has; else what is
/// missing is named and nothing is made. The file is left beside the place of the shard: who works in the directory puts it
/// there, and proves that it continues the journal, before anybody is served from it.
package struct HealRun {
    package let dataPath: String
    package let tenant: TenantID
    /// Nil where there is none: what the file and the journal have may be enough.
    package var source: String?
    package var generation: Int?
    package var fileSystem: any FileSystem = LocalFileSystem()

    package init(dataPath: String, tenant: TenantID, source: String?) {
        self.dataPath = dataPath
        self.tenant = tenant
        self.source = source
    }

    private var layout: DataDirectory.Layout { DataDirectory.Layout(path: dataPath) }
    private var names: ShardNames { ShardNames(file: ShardStore.file(of: tenant, in: layout.shards)) }

    package func run() throws(StorageError) -> HealReport {
        guard try fileSystem.exists(layout.version) else { throw .notADataDirectory(layout) }
        let own = try takeDirectory()
        defer { own?.close() }
        let listed = try ShardStore.listed(in: layout.shards, fileSystem: fileSystem)[tenant]
        try checkNeed(listed, isServed: own == nil)
        try fileSystem.makeDirectory(names.folder)
        let lock = try fileSystem.open(names.healing + ".lock", .openOrCreate)
        guard try lock.lock() else { throw .conflict("the book of tenant \(tenant) is being restored already") }
        defer {
            fileSystem.discard(names.healing + ".lock")
            lock.close()
        }

        var report = try HealedBook.make(
            tenant, names: names, listed: listed,
            journal: JournalTail(directory: layout.journal, fileSystem: fileSystem),
            copy: try copy(), fileSystem: fileSystem)
        try fileSystem.rename(names.healing, to: names.restored)
        try fileSystem.syncDirectory(names.folder)
        if own != nil {
            let store = ShardStore(path: layout.shards, fileSystem: fileSystem)
            defer { store.close() }
            report.isAdopted = true
            // A book that was never listed is made of the journal by the next server.
            if try !store.adopt(tenant) { try fileSystem.remove(names.restored) }
        }
        return report
    }

    /// The directory, locked; nil where a server works in it.
    private func takeDirectory() throws(StorageError) -> DataDirectory? {
        do throws(StorageError) {
            return try DataDirectory(path: dataPath, create: false, fileSystem: fileSystem)
        } catch {
            if case .locked = error { return nil }
            throw error
        }
    }

    private func copy() throws(StorageError) -> (BookFileReader, BackupManifest.Book)? {
        guard let source else { return nil }
        let (generation, manifest) = try BackupDirectory(path: source, fileSystem: fileSystem).read(
            generation: generation)
        guard let book = manifest.books[tenant] else {
            throw .conflict("the backup in \(source) has no book of tenant \(tenant)")
        }
        return (try generation.open(tenant, book), book)
    }

    /// A book that is well is left alone, and one that is not gets out of the way.
    private func checkNeed(_ listed: ShardExtent?, isServed: Bool) throws(StorageError) {
        guard try fileSystem.exists(names.file) else { return }
        if isServed {
            throw .conflict(
                "the server has the book of tenant \(tenant) in use and did not set it aside: there is nothing to restore. "
                    + "If its log says that \(names.file) is not what belongs there, move that away first")
        }
        let verdict = try BookVerifier(
            path: names.file, tenant: tenant, listedThrough: listed?.position, fileSystem: fileSystem
        ).verify()
        guard verdict.fault != nil else {
            throw .conflict("the book of tenant \(tenant) is whole: there is nothing to restore")
        }
        _ = try names.setAsideFile(fileSystem)
    }
}

/// A book while it is put together.
private struct HealedBook {
    private let tenant: TenantID
    private var builder: ShardBuilder
    /// The last entry that it has, and its hash.
    private var sequence: UInt64 = 0
    private var head: ChainHash
    private var report = HealReport()

    static func make(
        _ tenant: TenantID, names: ShardNames, listed: ShardExtent?, journal: JournalTail,
        copy: (BookFileReader, BackupManifest.Book)?, fileSystem: any FileSystem
    ) throws(StorageError) -> HealReport {
        var book = HealedBook(
            tenant: tenant,
            builder: try ShardBuilder(tenant, path: names.healing, position: listed?.position ?? 0, fileSystem))
        do throws(StorageError) {
            let files = try names.setAside(fileSystem).compactMap { Salvage($0, tenant, fileSystem) }
            defer { for file in files { file.close() } }
            if let (reader, copied) = copy {
                try book.take(
                    BookRestorer(reader: reader, book: copied, tenant: tenant, fileSystem: fileSystem), copied.mark)
            }
            for file in files { try book.take(file) }
            let last = try book.take(journal, files)
            try book.checkEnd(listed, files, hasJournal: last != nil)
            for file in files { try file.refusals { (body) throws(StorageError) in try book.builder.add(body) } }
            _ = try book.builder.finish(position: max(listed?.position ?? 0, last ?? 0))
        } catch {
            book.builder.discard()
            throw error
        }
        let verdict = try BookVerifier(path: names.healing, tenant: tenant, fileSystem: fileSystem).verify()
        for part in ["-wal", "-shm"] { fileSystem.discard(names.healing + part) }
        if let fault = verdict.fault {
            throw .corrupt(path: names.healing, reason: "what was put together cannot be proved: \(fault)")
        }
        book.report.entries = book.sequence
        return book.report
    }

    private init(tenant: TenantID, builder: ShardBuilder) {
        self.tenant = tenant
        self.builder = builder
        head = HashChain.origin(of: tenant)
    }

    private mutating func take(_ copy: BookRestorer, _ mark: BookMark) throws(StorageError) {
        _ = try copy.fill(&builder)
        sequence = mark.sequence
        head = mark.head
        report.fromBackup = mark.sequence
    }

    private mutating func take(_ file: Salvage) throws(StorageError) {
        var (sequence, head) = (sequence, head)
        var builder = builder
        try file.entries(after: sequence, head: head) { (body, hash) throws(StorageError) in
            try builder.add(body)
            sequence += 1
            head = hash
        }
        report.fromFile += sequence - self.sequence
        self.builder = builder
        self.sequence = sequence
        self.head = head
    }

    /// - Returns: the tenant's last record; nil where the journal has none.
    private mutating func take(_ journal: JournalTail, _ files: [Salvage]) throws(StorageError) -> UInt64? {
        var last: UInt64?
        var book = self
        let end = try journal.extent().end
        try journal.forEachRecord(through: end) { (position, tenant, record) throws(StorageError) in
            guard tenant == book.tenant else { return }
            last = position
            try journal.forEachEntry(of: record, at: position, tenant) { (entry, body) throws(StorageError) in
                try book.follow(entry.sequence, isRefusal: entry.kind == .refusal, body, files)
            }
        }
        self = book
        return last
    }

    private mutating func follow(
        _ number: UInt64, isRefusal: Bool, _ body: [UInt8], _ files: [Salvage]
    ) throws(StorageError) {
        if isRefusal { return try body.readable { (body) throws(StorageError) in try builder.add(body) } }
        guard number > sequence else { return }
        guard number == sequence + 1 else { throw missing(through: number - 1, files) }
        try body.readable { (body) throws(StorageError) in
            try builder.add(body)
            head = HashChain.link(head, body)
        }
        sequence = number
        report.fromJournal += 1
    }

    /// What the shard held when it was listed is there, or all that the journal goes on from.
    private func checkEnd(_ listed: ShardExtent?, _ files: [Salvage], hasJournal: Bool) throws(StorageError) {
        if let listed, listed.sequence > sequence { throw missing(through: listed.sequence, files) }
        guard !hasJournal, listed?.sequence ?? 0 == 0 else { return }
        // An older build listed no sequences: the file's own word is all there is.
        let stood = files.lazy.compactMap(\.extent).first { $0.position >= listed?.position ?? 0 }
        guard let stood else {
            throw .conflict(
                "the book of tenant \(tenant) is not restored: nothing says whether it ends with entry \(sequence), the last "
                    + "that was found")
        }
        if stood.sequence > sequence { throw missing(through: stood.sequence, files) }
    }

    /// Says exactly what is nowhere.
    private func missing(through end: UInt64, _ files: [Salvage]) -> StorageError {
        var ranges: [ClosedRange<UInt64>] = []
        for number in sequence + 1...end where !files.contains(where: { $0.has(number) }) {
            if let last = ranges.last, last.upperBound + 1 == number {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        let first = ranges.prefix(StorageLimits.maxNamedGaps).map {
            $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound) to \($0.upperBound)"
        }
        let what =
            ranges.isEmpty
            ? "entry \(sequence + 1) is not the one that follows entry \(sequence)"
            : "these of its entries are in no backup, no file that was set aside and not in the journal: "
                + first.joined(separator: ", ") + (ranges.count > first.count ? ", …" : "")
        return .conflict(
            "the book of tenant \(tenant) is not restored: \(what). A newer backup, or an older file that was set aside, may "
                + "have them")
    }
}

extension ShardStore {
    /// Puts a restored file into the place of a missing one. False where the book was never listed: it is made of the journal.
    func adopt(_ tenant: TenantID) throws(StorageError) -> Bool {
        guard let listed = try manifest.position(of: tenant) else { return false }
        return try use(tenant) { (_) throws(StorageError) in
            if try !fileSystem.exists(file(of: tenant)) { try replaceMissing(tenant, listed: listed) }
            return true
        }
    }
}

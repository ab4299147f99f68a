import Ledger

/// What a backup did.
package struct BackupReport: Sendable {
    /// Every step that was acknowledged before is in it.
    package var moment: Instant
    package var generation: Int
    /// Tenants that were looked at, and those of which something was new.
    package var tenants = 0
    package var changed = 0
    /// Entries that are in it in all, and those that were new.
    package var entries: UInt64 = 0
    package var newEntries: UInt64 = 0
    package var newBytes: Int64 = 0
    /// Tenants whose books could not be read or written to the end; of them the backup holds what it held, and what could.
    package var faults: [(tenant: TenantID, error: StorageError)] = []
}

/// How far a backup or a restore has come.
package struct CopyProgress: Sendable {
    package var tenant: TenantID
    package var done: Int
    package var of: Int
}

/// Brings a backup up to a data directory that a server may be using.
///
/// The order makes it consistent: the directory first, as a note that it still owes to a book is brought there once more,
/// harmlessly, and one that it owed no longer would be lost; then how far the journal goes, then the shards, then what of
/// the journal they did not have. What vanished from the journal meanwhile was trimmed, and so is in the shards: those are
/// looked at again. The manifest is last: a run that ends anywhere before has changed nothing that counts, and the next one
/// goes on from what is there.
package struct BackupRun {
    package let dataPath: String
    package let target: String
    /// Nil for all.
    package var only: TenantID?
    /// Begins a copy of its own beside what is there.
    package var startsGeneration = false
    package var fileSystem: any FileSystem = LocalFileSystem()
    package var progress: (CopyProgress) -> Void = { _ in }

    var layout: DataDirectory.Layout { DataDirectory.Layout(path: dataPath) }

    package init(dataPath: String, target: String) {
        self.dataPath = dataPath
        self.target = target
    }

    /// - Parameter now: the time at which it begins.
    package func run(at now: Instant) throws(StorageError) -> BackupReport {
        guard try fileSystem.exists(layout.version) else { throw .notADataDirectory(layout) }
        let directory = BackupDirectory(path: target, fileSystem: fileSystem)
        let lock = try take(directory)
        defer { lock.close() }
        let generation = try chooseGeneration(in: directory)
        let previous = try generation.manifest()
        if previous == nil, only != nil {
            throw .conflict(
                "\(target) holds no finished backup yet; the first one is of all tenants: leave out --tenant")
        }

        let glance = try DirectoryGlance.look(at: layout.directory, fileSystem: fileSystem)
        if let gone = previous?.books.keys.first(where: { !glance.tenants.contains($0) }) {
            throw .forked(gone, "\(dataPath) has no such tenant")
        }
        if let only, !glance.tenants.contains(only) { throw .conflict("there is no tenant \(only) in \(dataPath)") }
        var manifest: BackupManifest
        if only != nil, let previous {
            manifest = previous
        } else {
            manifest = try write(glance, after: previous, at: now, to: generation)
        }

        var copies = BookCopies(
            generation: generation, layout: layout, books: previous?.books ?? [:], moment: now, fileSystem: fileSystem)
        let tenants = only.map { [$0] } ?? glance.tenants.sorted()
        try copies.bringUp(tenants, progress)
        try copies.makeDurable()
        manifest.books = copies.books
        try generation.write(manifest)
        removeOldDirectories(in: generation, but: manifest.directory)

        var report = copies.report
        report.tenants = tenants.count
        report.entries = manifest.books.values.reduce(0) { $0 + $1.mark.sequence }
        return report
    }

    /// Makes the directory where it is missing, and locks it.
    private func take(_ directory: BackupDirectory) throws(StorageError) -> any File {
        try fileSystem.makePath(target)
        let names = try fileSystem.list(target)
        guard names.allSatisfy({ $0 == "LOCK" || $0 == "lost+found" || Int($0) != nil }) else {
            throw .conflict("\(target) is not empty and no backup of Tollgate; choose another directory")
        }
        let lock = try fileSystem.open(directory.lockFile, .openOrCreate)
        guard try lock.lock() else { throw .conflict("another backup to \(target) is under way; let it finish") }
        return lock
    }

    private func chooseGeneration(
        in directory: BackupDirectory
    ) throws(StorageError) -> BackupDirectory.Generation {
        let newest = directory.generation(try directory.generations().last ?? 1)
        var chosen = newest
        if startsGeneration, try newest.manifest() != nil { chosen = directory.generation(newest.number + 1) }
        try fileSystem.makeDirectory(chosen.path)
        try fileSystem.makeDirectory(chosen.path + "/books")
        try fileSystem.syncDirectory(target)
        return chosen
    }

    /// The directory's copy, anew only where it changed.
    private func write(
        _ glance: DirectoryGlance, after previous: BackupManifest?, at now: Instant,
        to generation: BackupDirectory.Generation
    ) throws(StorageError) -> BackupManifest {
        let digest = SHA256.hexadecimal(glance.image)
        if let previous, previous.directoryDigest == digest {
            return BackupManifest(moment: now, directory: previous.directory, directoryDigest: digest)
        }
        let number = previous.flatMap { DirectoryGlance.number(ofCopy: $0.directory) } ?? 0
        let name = DirectoryGlance.copyName(number + 1)
        try fileSystem.replace(generation.path + "/" + name, with: glance.image)
        return BackupManifest(moment: now, directory: name, directoryDigest: digest)
    }

    private func removeOldDirectories(in generation: BackupDirectory.Generation, but current: String) {
        let names = (try? fileSystem.list(generation.path)) ?? []
        for name in names where name != current && DirectoryGlance.number(ofCopy: name) != nil {
            fileSystem.discard(generation.path + "/" + name)
        }
    }
}

extension StorageError {
    static func notADataDirectory(_ layout: DataDirectory.Layout) -> StorageError {
        .conflict("\(layout.path) is not a data directory of Tollgate; name the one that `tollgate serve` works in")
    }
}

/// The directory as it was at one moment, read beside the server that writes it.
struct DirectoryGlance {
    /// The bytes of a file.
    let image: [UInt8]
    let tenants: Set<TenantID>

    static func look(at path: String, fileSystem: any FileSystem) throws(StorageError) -> DirectoryGlance {
        let file = try DirectoryFile(reading: path, fileSystem)
        defer { file.close() }
        return try file.database.transaction("BEGIN") { () throws(StorageError) in
            let tenants = Set(try file.tenantIDs())
            return DirectoryGlance(image: CheckedVFS.stamped(try file.database.image()), tenants: tenants)
        }
    }

    static func copyName(_ number: Int) -> String { "directory-\(number).sqlite" }

    /// Nil where it is not the name of a copy.
    static func number(ofCopy name: String) -> Int? {
        guard name.hasPrefix("directory-"), name.hasSuffix(".sqlite") else { return nil }
        return Int(name.dropFirst("directory-".count).dropLast(".sqlite".count))
    }
}

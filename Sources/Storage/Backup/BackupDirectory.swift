/// Where the copies are.
///
/// ```
/// LOCK                    taken while one backup runs
/// 1/, 2/, …               generations, each whole by itself: the newest is continued, an older one is of a history that ended
/// 1/BACKUP                the manifest: what counts
/// 1/directory-N.sqlite    the directory, as it was at the manifest's moment
/// 1/books/xx/T.book       the entries of one tenant
/// ```
struct BackupDirectory: Sendable {
    let path: String
    let fileSystem: any FileSystem

    var lockFile: String { path + "/LOCK" }

    /// The numbers of the generations, rising.
    func generations() throws(StorageError) -> [Int] {
        try fileSystem.list(path).compactMap { Int($0) }.filter { $0 > 0 }.sorted()
    }

    func generation(_ number: Int) -> Generation {
        Generation(path: path + "/\(number)", number: number, fileSystem: fileSystem)
    }

    /// The newest generation that has a manifest, or the one of that number.
    func read(generation number: Int? = nil) throws(StorageError) -> (Generation, BackupManifest) {
        for found in try generations().reversed() where number == nil || number == found {
            if let manifest = try generation(found).manifest() { return (generation(found), manifest) }
        }
        throw .conflict(
            number == nil
                ? "\(path) holds no finished backup; `tollgate backup --to \(path)` makes one"
                : "\(path) holds no finished backup of generation \(number!)")
    }

    struct Generation: Sendable {
        let path: String
        let number: Int
        let fileSystem: any FileSystem

        var manifestFile: String { path + "/" + BackupManifest.name }

        func folder(of tenant: TenantID) -> String { "\(path)/books/\(tenant.folder)" }

        func file(of tenant: TenantID) -> String { "\(folder(of: tenant))/\(tenant).book" }

        /// Nil where no backup of this generation was ever finished.
        func manifest() throws(StorageError) -> BackupManifest? {
            guard try fileSystem.exists(manifestFile) else { return nil }
            let file = try fileSystem.open(manifestFile, .readOnly)
            defer { file.close() }
            return try BackupManifest(try file.readAll(), path: manifestFile)
        }

        /// Puts a manifest in the place of the one before, in one go.
        func write(_ manifest: BackupManifest) throws(StorageError) {
            try fileSystem.replace(manifestFile, with: Array(manifest.text.utf8))
        }

        /// The bytes of the directory's copy.
        func directory(_ manifest: BackupManifest) throws(StorageError) -> [UInt8] {
            let path = path + "/" + manifest.directory
            let file = try fileSystem.open(path, .readOnly)
            defer { file.close() }
            let bytes = try file.readAll()
            guard SHA256.hexadecimal(bytes) == manifest.directoryDigest else {
                throw .corrupt(path: path, reason: "its contents do not go with the SHA-256 in \(BackupManifest.name)")
            }
            return bytes
        }

        /// The copy of a book up to its mark, to be read.
        func open(_ tenant: TenantID, _ book: BackupManifest.Book) throws(StorageError) -> BookFileReader {
            let path = file(of: tenant)
            guard try fileSystem.exists(path) else { throw .corrupt(path: path, reason: "the file is missing") }
            let file = try fileSystem.open(path, .readOnly)
            guard try file.size() >= book.mark.bytes else {
                throw .corrupt(
                    path: path, reason: "it ends at byte \(try file.size()), before \(book.mark.bytes), where it should"
                )
            }
            return BookFileReader(file, path: path, tenant: tenant)
        }
    }
}

extension FileSystem {
    /// Writes a file that is there whole, durably, or as it was before.
    func replace(_ path: String, with bytes: [UInt8]) throws(StorageError) {
        let new = path + ".new"
        do throws(StorageError) {
            let file = try open(new, .create)
            defer { file.close() }
            try file.write(bytes, at: 0)
            try file.sync()
        } catch {
            discard(new)
            throw error
        }
        try rename(new, to: path)
        try syncDirectory(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
    }
}

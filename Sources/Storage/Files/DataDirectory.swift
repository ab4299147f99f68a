import Locks

#if canImport(Glibc)
    import Glibc
#endif

/// The directory that a server works in, locked for as long as this object lives.
///
/// ```
/// LOCK               the pid of the server that works here, and the lock
/// VERSION            the format of everything below
/// journal/           segments of the journal
/// shards/xx/         one SQLite file per tenant; beside them manifest.sqlite, which lists those that are durable
/// directory.sqlite   tenants and keys
/// ```
package final class DataDirectory: Sendable {
    package let path: String
    private let lockFile: any File

    /// What a directory of this build says in `VERSION`.
    static let version = "tollgate 2\n"

    /// Takes the directory for this process.
    ///
    /// - Parameter create: Makes it where it is not there, or where it is empty. Otherwise it must have been made before.
    package init(
        path: String, create: Bool, fileSystem: any FileSystem = LocalFileSystem()
    ) throws(StorageError) {
        self.path = path
        let layout = Layout(path: path)
        if create {
            try fileSystem.makePath(path, wholeWith: layout.version)
        } else if try !fileSystem.exists(layout.version) {
            throw .system(operation: "open", path: layout.version, errno: ENOENT)
        }
        lockFile = try layout.lock(fileSystem)
        do throws(StorageError) {
            if try fileSystem.exists(layout.version) {
                try layout.checkVersion(fileSystem)
            } else {
                try layout.fill(fileSystem)
            }
        } catch {
            lockFile.close()
            throw error
        }
    }

    /// Takes a new directory that a backup is restored into. It is no data directory before `finishRestore`.
    init(restoringInto path: String, fileSystem: any FileSystem) throws(StorageError) {
        self.path = path
        let layout = Layout(path: path)
        try fileSystem.makePath(path)
        let present = try fileSystem.list(path)
        if present.contains(layout.restoring.name) {
            throw .conflict("\(path) holds a restore that was not finished; remove it, and restore again")
        }
        guard present.isEmpty else { throw .conflict("\(path) is not empty; restore into a new directory") }
        lockFile = try layout.lock(fileSystem)
        do throws(StorageError) {
            try fileSystem.open(layout.restoring.path, .create).close()
            try fileSystem.makeDirectory(layout.journal)
            try fileSystem.makeDirectory(layout.shards)
            try fileSystem.syncDirectory(path)
        } catch {
            lockFile.close()
            throw error
        }
    }

    /// All that was restored is durable, and this is a data directory from now on.
    func finishRestore(_ fileSystem: any FileSystem) throws(StorageError) {
        let layout = Layout(path: path)
        try layout.seal(fileSystem)
        try fileSystem.remove(layout.restoring.path)
        try fileSystem.syncDirectory(path)
    }

    package var journal: String { Layout(path: path).journal }
    package var shards: String { Layout(path: path).shards }
    package var directory: String { Layout(path: path).directory }

    /// Lets another process have it.
    package func close() { lockFile.close() }

    /// Where things are in a data directory, for those who read one that a server may be using.
    package struct Layout: Sendable {
        package let path: String

        package init(path: String) {
            self.path = path
        }

        package var journal: String { path + "/journal" }
        package var shards: String { path + "/shards" }
        package var directory: String { path + "/directory.sqlite" }
        var lockFile: String { path + "/LOCK" }
        var version: String { path + "/VERSION" }
        /// There while a backup is restored.
        fileprivate var restoring: (name: String, path: String) { ("RESTORING", path + "/RESTORING") }
    }
}

extension DataDirectory.Layout {
    fileprivate func lock(_ fileSystem: any FileSystem) throws(StorageError) -> any File {
        let file = try fileSystem.open(lockFile, .openOrCreate)
        guard try file.lock() else {
            let holder = String(decoding: try file.readAll(), as: UTF8.self).filter(\.isNumber)
            throw .locked(path: path, holder: holder.isEmpty ? "another process" : "process \(holder)")
        }
        try file.truncate(to: 0)
        try file.write(Array("\(getpid())\n".utf8), at: 0)
        return file
    }

    fileprivate func checkVersion(_ fileSystem: any FileSystem) throws(StorageError) {
        let found = String(decoding: try fileSystem.open(version, .readOnly).readAll(), as: UTF8.self)
        guard found == DataDirectory.version else {
            throw .corrupt(path: version, reason: "this build does not know the format that it names")
        }
    }

    /// `VERSION` comes last: a directory that has it is whole.
    fileprivate func fill(_ fileSystem: any FileSystem) throws(StorageError) {
        let present = try fileSystem.list(path).filter { $0 != "LOCK" && $0 != "VERSION.new" }
        guard Set(present).isSubset(of: ["journal", "shards"]) else {
            throw .conflict("\(path) is not empty and not a data directory of Tollgate; choose another")
        }
        try fileSystem.makeDirectory(journal)
        try fileSystem.makeDirectory(shards)
        try seal(fileSystem)
    }

    /// Writes `VERSION`, durably.
    fileprivate func seal(_ fileSystem: any FileSystem) throws(StorageError) {
        let new = version + ".new"
        let file = try fileSystem.open(new, .create)
        try file.write(Array(DataDirectory.version.utf8), at: 0)
        try file.sync()
        try fileSystem.rename(new, to: version)
        try fileSystem.syncDirectory(path)
    }
}

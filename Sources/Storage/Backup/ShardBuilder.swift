import Ledger

/// Makes a shard from nothing but entries and refusals, with the code that flushes use. Nothing of the file counts before
/// `finish` has returned.
struct ShardBuilder {
    private let path: String
    private let fileSystem: any FileSystem
    private let shard: Shard
    private let position: UInt64
    /// Of the layout of what was not written yet.
    private var version: UInt8 = 0
    private var bodies: [UInt8] = []
    private var count = 0

    /// - Parameters:
    ///   - path: where nothing is yet, or what counts for nothing.
    ///   - position: the last journal record that the shard will hold.
    init(
        _ tenant: TenantID, path: String, position: UInt64, _ fileSystem: any FileSystem
    ) throws(StorageError) {
        self.path = path
        self.fileSystem = fileSystem
        self.position = position
        for part in ["", "-wal", "-shm"] where try fileSystem.exists(path + part) { try fileSystem.remove(path + part) }
        try Shard.make(path: path, fileSystem)
        shard = try Shard(tenant: tenant, path: path, fileSystem)
        // One sync at the end says what a thousand would.
        try shard.database.execute("PRAGMA synchronous = OFF")
    }

    /// The last entry that was added, and the hash of the last that was written.
    var meta: ShardMeta { shard.meta }

    /// Adds an entry or a refusal as it is stored by itself.
    mutating func add(_ body: UnsafeRawBufferPointer) throws(StorageError) {
        guard let version = body.first, EntryCodec.isKnown(version) else {
            throw .corrupt(path: path, reason: "an entry is of a version that this build does not know")
        }
        if version != self.version {
            // The entries of a record are of one version, and an entry's hash covers its own.
            try write()
            self.version = version
        }
        bodies += body.dropFirst()
        count += 1
        if count == StorageLimits.backupReadRows || bodies.count >= StorageLimits.backupFrameBytes { try write() }
    }

    mutating func write() throws(StorageError) {
        guard count > 0 else { return }
        let record = [version] + Varint.bytes(UInt64(count)) + bodies
        bodies = []
        count = 0
        try record.readable { (bytes) throws(StorageError) in try shard.rebuild(bytes, position: position) }
        if shard.database.logBytes > StorageLimits.checkpointBytes { _ = try shard.database.checkpoint() }
    }

    /// Writes the rest and leaves one whole, durable file; its name is the caller's to make durable.
    ///
    /// - Parameter position: another one than was said at the beginning.
    mutating func finish(position: UInt64? = nil) throws(StorageError) -> ShardMeta {
        try write()
        try shard.move(to: position ?? self.position)
        guard try shard.database.checkpoint() else {
            throw .conflict("\(path) is being read by another process; try again")
        }
        shard.close()
        for part in ["-wal", "-shm"] where try fileSystem.exists(path + part) { try fileSystem.remove(path + part) }
        let file = try fileSystem.open(path, .existing)
        defer { file.close() }
        try file.sync()
        return shard.meta
    }

    /// Removes what was made.
    func discard() {
        shard.close()
        for part in ["", "-wal", "-shm"] where (try? fileSystem.exists(path + part)) == true {
            fileSystem.discard(path + part)
        }
    }
}

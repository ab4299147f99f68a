import Locks

/// Of which shards a sync covers the whole write-ahead log.
///
/// The kernel reports once that it could not write, and takes what it could not write for clean from then on: it can still be
/// read, later syncs succeed, and the disk never has it. A checkpoint after such a sync would write newer pages into the
/// file beside a log with a hole, and a power cut would then leave neither the old book nor the new one. So after any failure, and where a
/// log is left by an earlier process, of which nobody knows what happened to it, the log is written once more, byte for
/// byte, before a sync of it counts.
final class ShardLogs: Sendable {
    private struct State: Sendable {
        /// Nothing failed since these were made or written once more.
        var trusted: Set<TenantID> = []
        /// Shards whose file this process made.
        var made: Set<TenantID> = []
    }

    private let fileSystem: any FileSystem
    private let state = Protected(State())

    init(_ fileSystem: any FileSystem) {
        self.fileSystem = fileSystem
    }

    /// This process made the shard's file, and nothing else knows of it.
    func wasMade(_ tenant: TenantID) {
        state.withLock { state in
            state.made.insert(tenant)
            state.trusted.insert(tenant)
        }
    }

    func isMade(_ tenant: TenantID) -> Bool { state.withLock { $0.made.contains(tenant) } }

    /// A write or a sync of the shard failed.
    func distrust(_ tenant: TenantID) { state.withLock { _ = $0.trusted.remove(tenant) } }

    /// Nobody knows whose bytes were lost.
    func distrustAll() { state.withLock { $0.trusted = [] } }

    func forget(_ tenant: TenantID) {
        state.withLock { state in
            state.made.remove(tenant)
            state.trusted.remove(tenant)
        }
    }

    /// Sees to it that a sync covers all of the log. The caller has the shard to itself.
    /// - Returns: false where that was so before.
    @discardableResult
    func renew(_ tenant: TenantID, at path: String) throws(StorageError) -> Bool {
        let (isTrusted, isMade) = state.withLock { ($0.trusted.contains(tenant), $0.made.contains(tenant)) }
        if isTrusted { return false }
        try fileSystem.writeAgain(path + "-wal")
        // Of an older file a checkpoint that failed has written parts alone, and the next one writes them anew.
        if isMade { try fileSystem.writeAgain(path) }
        state.withLock { _ = $0.trusted.insert(tenant) }
        return true
    }

    /// Moves the log into the file where it has grown. A failure leaves the log, which is as good: nothing is lost.
    func checkpoint(_ shard: Shard, above bytes: Int64) {
        guard shard.database.logBytes > bytes else { return }
        do throws(StorageError) {
            try renew(shard.tenant, at: shard.database.path)
            _ = try shard.database.checkpoint()
        } catch {
            // `makeDurable` meets the same fault and says so.
            distrust(shard.tenant)
        }
    }
}

extension FileSystem {
    /// Makes what can be read of a log survive a power cut, before anybody relies on it: an earlier process may have failed to.
    func makeDurable(log path: String) throws(StorageError) {
        guard try exists(path) else { return }
        try writeAgain(path)
        let file = try open(path, .existing)
        defer { file.close() }
        try file.sync()
    }

    /// Writes a file, where it is there, once more as it is, so that the next sync covers all of it.
    func writeAgain(_ path: String) throws(StorageError) {
        guard try exists(path) else { return }
        let file = try open(path, .existing)
        defer { file.close() }
        let length = try file.size()
        var offset: Int64 = 0
        while offset < length {
            let chunk = Int(min(length - offset, Int64(StorageLimits.rewrittenChunkBytes)))
            let bytes = try [UInt8](capacity: chunk) { (buffer) throws(StorageError) in
                try file.read(into: buffer, at: offset)
            }
            guard !bytes.isEmpty else { return }
            try file.write(bytes, at: offset)
            offset += Int64(bytes.count)
        }
    }
}

import Glibc
import Locks
import Storage

/// A file that is open, by the product or by SQLite.
///
/// `@unchecked Sendable`: guarded by the disk's lock, but for what never changes.
final class OpenFile: @unchecked Sendable {
    let disk: SimulatedDisk
    let node: Node
    let path: String
    let isReadOnly: Bool
    /// The process that had it open has ended.
    private(set) var isAbandoned = false
    /// SQLite's, from `SQLITE_LOCK_NONE` to `SQLITE_LOCK_EXCLUSIVE`.
    var sqliteLock: Int32 = 0
    var shared: SharedMemory?
    var sharedMask: UInt8 = 0
    var exclusiveMask: UInt8 = 0
    /// The name of a new log is made durable with its first sync, as SQLite's own VFS does.
    var syncsName = false

    /// The disk's lock is held.
    init(_ node: Node, path: String, isReadOnly: Bool, on disk: SimulatedDisk) {
        self.node = node
        self.path = path
        self.isReadOnly = isReadOnly
        self.disk = disk
    }

    /// The disk's lock is held.
    func abandon() {
        isAbandoned = true
        letGo()
    }

    private func letGo() {
        if node.lockOwner == ObjectIdentifier(self) { node.lockOwner = nil }
        node.sqliteLocks.release(ObjectIdentifier(self))
        leaveSharedMemory()
    }

    func close() {
        disk.lock.locked {
            guard disk.state.open.removeValue(forKey: ObjectIdentifier(self)) != nil else { return }
            letGo()
        }
    }
}

// MARK: - Calls

extension OpenFile {
    /// Reads as much as there is; zeros fill the rest where `fills`.
    func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(Failure) -> Int {
        try disk.perform(.read, path, at: offset, by: self) { _ in
            let start = min(offset, node.bytes.count)
            let end = min(start + buffer.count, node.bytes.count)
            node.bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
            return end - start
        }
    }

    func put(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(Failure) {
        try disk.perform(.write, path, at: offset, bytes, by: self) { [node] state, _ in
            let count = Int.random(in: 0...bytes.count, using: &state.random)
            node.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: offset)
        } _: { (state) throws(Failure) in
            if isReadOnly { throw Failure(errno: EBADF) }
            let growth = offset + bytes.count - node.charge
            let missing = growth > 0 && state.capacity != nil ? max(0, growth - state.room) : 0
            let count = max(0, bytes.count - missing)
            node.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: offset)
            if missing > 0 { throw Failure(errno: ENOSPC) }
        }
    }

    func synchronize() throws(Failure) {
        try disk.perform(.sync, path, by: self) { [node] state, isCrash in
            if isCrash { node.syncSome(&state.random) } else { node.failSync(&state.random) }
        } _: { _ in
            node.sync()
        }
        guard syncsName else { return }
        // Where that fails SQLite's VFS says nothing, as some systems cannot sync a directory, and does not try again.
        try? disk.synchronizeDirectory(Names.parent(of: path))
        syncsName = false
    }

    func length() throws(Failure) -> Int {
        try disk.perform(.size, path, by: self) { _ in node.bytes.count }
    }

    /// Its bytes, as the product's own memory has it: no call of the disk.
    var knownLength: Int { disk.lock.locked { node.bytes.count } }

    func cut(to count: Int) throws(Failure) {
        try disk.perform(.truncate, path, at: count, by: self) { [node] state, isCrash in
            if isCrash, Bool.random(using: &state.random) { node.truncate(to: count) }
        } _: { (state) throws(Failure) in
            if isReadOnly { throw Failure(errno: EBADF) }
            if state.capacity != nil, count - node.charge > state.room { throw Failure(errno: ENOSPC) }
            node.truncate(to: count)
        }
    }
}

extension OpenFile {
    func reserve(_ count: Int) throws(Failure) {
        try disk.perform(.allocate, path, at: count, by: self) { (state) throws(Failure) in
            let room = state.room
            let growth = max(0, count - node.charge)
            // What there is is taken, as ext4 does.
            node.reserved = max(node.reserved, node.charge + min(growth, room))
            if growth > room { throw Failure(errno: ENOSPC) }
        }
    }

    /// False where somebody else has it.
    func lock() throws(Failure) -> Bool {
        try disk.perform(.lock, path, by: self) { _ in
            guard node.lockOwner == nil || node.lockOwner == ObjectIdentifier(self) else { return false }
            node.lockOwner = ObjectIdentifier(self)
            return true
        }
    }
}

/// A file as the product has it open.
final class SimulatedFile: File {
    private static let blockBytes = 4_096

    private let file: OpenFile

    init(_ file: OpenFile) {
        self.file = file
    }

    deinit { file.close() }

    private func check<Result>(
        _ operation: String, _ body: () throws(Failure) -> Result
    ) throws(StorageError) -> Result {
        do throws(Failure) {
            return try body()
        } catch {
            throw .system(operation: operation, path: file.path, errno: error.errno)
        }
    }

    func size() throws(StorageError) -> Int64 {
        Int64(try check("inspect") { () throws(Failure) in try file.length() })
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageError) -> Int {
        try check("read") { () throws(Failure) in try file.read(buffer, at: Int(offset)) }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageError) {
        try check("write") { () throws(Failure) in try file.put(bytes, at: Int(offset)) }
    }

    /// One write, with zeros up to the end of the block or of the file.
    func append(
        _ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, at offset: Int64
    ) throws(StorageError) {
        let end = Int(offset) + head.count + body.count
        let blockEnd = (end + Self.blockBytes - 1) / Self.blockBytes * Self.blockBytes
        let zeros = max(0, min(blockEnd, file.knownLength) - end)
        let bytes = Array(head) + Array(body) + [UInt8](repeating: 0, count: zeros)
        try bytes.span.withUnsafeBytes { (bytes) throws(StorageError) in try write(bytes, at: offset) }
        try sync()
    }

    func sync() throws(StorageError) {
        try check("sync") { () throws(Failure) in try file.synchronize() }
    }

    func allocate(_ length: Int64) throws(StorageError) {
        try check("allocate") { () throws(Failure) in try file.reserve(Int(length)) }
    }

    func truncate(to length: Int64) throws(StorageError) {
        try check("truncate") { () throws(Failure) in try file.cut(to: Int(length)) }
    }

    func lock() throws(StorageError) -> Bool {
        try check("lock") { () throws(Failure) in try file.lock() }
    }

    func close() { file.close() }
}

import Glibc
import Locks
import Storage

/// A disk in memory that can fail at the n-th call and lose power. Like a real one it forgets what was not synced, and after
/// a sync that failed it forgets that there was anything to write.
final class SimulatedFileSystem: FileSystem {
    /// What happens at a call that fails.
    enum Fault {
        /// This one call fails; a write is done by half.
        case once(errno: Int32)
        /// This call and all later ones fail, as for a disk that died, until `repair`.
        case forGood(errno: Int32)
    }

    /// What a power cut leaves of what was not synced.
    enum Loss: CaseIterable {
        case all
        case nothing
        case someChunks
    }

    fileprivate final class Node: @unchecked Sendable {
        var bytes: [UInt8] = []
        var durable: [UInt8] = []
        /// Ranges that are written and not synced.
        var dirty: [Range<Int>] = []
        var isLocked = false
    }

    fileprivate struct State {
        var names: [String: Node] = [:]
        var durableNames: [String: Node] = [:]
        var directories: Set<String> = ["/"]
        var calls = 0
        var failingCall: Int?
        var fault = Fault.once(errno: EIO)
        var isDead = false
    }

    fileprivate let state = Protected(State())

    /// Calls that could fail so far.
    var calls: Int { state.withLock { $0.calls } }

    func fail(atCall call: Int, _ fault: Fault) {
        state.withLock { state in
            state.failingCall = state.calls + call
            state.fault = fault
        }
    }

    /// True where the fault that was planned has happened.
    var hasFailed: Bool {
        state.withLock { state in state.failingCall.map { state.calls >= $0 } ?? false }
    }

    var isDead: Bool { state.withLock { $0.isDead } }

    func repair() {
        state.withLock { state in
            state.failingCall = nil
            state.isDead = false
        }
    }

    /// Forgets what was not synced, as far as `loss` says, and works again.
    func losePower(_ loss: Loss, using random: inout SeededGenerator) {
        repair()
        var random = random
        state.withLock { state in
            if loss == .all { state.names = state.durableNames }
            for node in state.names.values {
                node.isLocked = false
                for range in node.dirty where loss != .all {
                    node.flush(range) { _ in loss == .nothing || random.next() & 1 == 0 }
                }
                node.dirty = []
                node.bytes = node.durable
            }
            state.durableNames = state.names
        }
        _ = random.next()
    }

    /// The bytes of a file, and a way to change them behind everybody's back.
    func bytes(_ path: String) -> [UInt8]? { state.withLock { $0.names[path]?.bytes } }

    func overwrite(_ path: String, _ bytes: [UInt8]) {
        state.withLock { state in
            let node = state.names[path]!
            node.bytes = bytes
            node.durable = bytes
            node.dirty = []
        }
    }

    // MARK: - FileSystem

    var sqliteVFS: String? { nil }

    func open(_ path: String, _ mode: FileMode) throws(StorageError) -> any File {
        let isMaking = mode == .create || mode == .openOrCreate
        if isMaking { try mayFail("open", path) }
        let node: Node? = state.withLock { state in
            if mode == .create || (mode == .openOrCreate && state.names[path] == nil) { state.names[path] = Node() }
            return state.names[path]
        }
        guard let node else { throw .system(operation: "open", path: path, errno: ENOENT) }
        return SimulatedFile(node: node, path: path, disk: self)
    }

    func rename(_ path: String, to target: String) throws(StorageError) {
        try mayFail("rename", path)
        state.withLock { $0.names[target] = $0.names.removeValue(forKey: path) }
    }

    func remove(_ path: String) throws(StorageError) {
        try mayFail("remove", path)
        state.withLock { $0.names[path] = nil }
    }

    func list(_ path: String) throws(StorageError) -> [String] {
        state.withLock { state in
            (Array(state.names.keys) + state.directories)
                .filter { $0.hasPrefix(path + "/") && !$0.dropFirst(path.count + 1).contains("/") && $0 != path + "/" }
                .map { String($0.dropFirst(path.count + 1)) }.sorted()
        }
    }

    func exists(_ path: String) -> Bool {
        state.withLock { $0.names[path] != nil || $0.directories.contains(path) }
    }

    func makeDirectory(_ path: String) throws(StorageError) {
        try mayFail("make", path)
        state.withLock { _ = $0.directories.insert(path) }
    }

    func syncDirectory(_ path: String) throws(StorageError) {
        try mayFail("sync", path)
        state.withLock { state in
            let inside = { (name: String) in name.hasPrefix(path + "/") }
            state.durableNames = state.durableNames.filter { !inside($0.key) }
            for (name, node) in state.names where inside(name) { state.durableNames[name] = node }
        }
    }

    func syncAll(_ path: String) throws(StorageError) {
        try mayFail("sync", path)
        state.withLock { state in
            for node in state.names.values {
                for range in node.dirty { node.flush(range) { _ in true } }
                node.dirty = []
            }
            state.durableNames = state.names
        }
    }

    fileprivate func mayFail(_ operation: String, _ path: String) throws(StorageError) {
        let errno: Int32? = state.withLock { state in
            state.calls += 1
            guard state.isDead || state.calls == state.failingCall else { return nil }
            switch state.fault {
            case .once(let errno): return errno
            case .forGood(let errno):
                state.isDead = true
                return errno
            }
        }
        if let errno { throw .system(operation: operation, path: path, errno: errno) }
    }
}

extension SimulatedFileSystem.Node {
    static let chunkBytes = 16

    func write(_ new: UnsafeRawBufferPointer, at offset: Int) {
        if bytes.count < offset + new.count {
            bytes += repeatElement(0, count: offset + new.count - bytes.count)
        }
        bytes.replaceSubrange(offset..<offset + new.count, with: new)
        if !new.isEmpty { dirty.append(offset..<offset + new.count) }
    }

    /// Moves the chunks of a dirty range that are chosen to the durable bytes.
    func flush(_ range: Range<Int>, _ isChosen: (Int) -> Bool) {
        if durable.count < bytes.count { durable += repeatElement(0, count: bytes.count - durable.count) }
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.chunkBytes) where isChosen(start) {
            let chunk = start..<min(start + Self.chunkBytes, range.upperBound)
            durable.replaceSubrange(chunk, with: bytes[chunk])
        }
    }
}

private final class SimulatedFile: File {
    private let node: SimulatedFileSystem.Node
    private let path: String
    private let disk: SimulatedFileSystem

    init(node: SimulatedFileSystem.Node, path: String, disk: SimulatedFileSystem) {
        self.node = node
        self.path = path
        self.disk = disk
    }

    func size() throws(StorageError) -> Int64 { disk.state.withLock { _ in Int64(node.bytes.count) } }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageError) -> Int {
        let bytes = disk.state.withLock { _ in node.bytes }
        let part = bytes.dropFirst(Int(offset)).prefix(buffer.count)
        buffer.copyBytes(from: part)
        return part.count
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageError) {
        do throws(StorageError) {
            try disk.mayFail("write", path)
        } catch {
            let half = Array(bytes.prefix(disk.isDead ? 0 : bytes.count / 2))
            disk.state.withLock { _ in half.withUnsafeBytes { node.write($0, at: Int(offset)) } }
            throw error
        }
        let copy = Array(bytes)
        disk.state.withLock { _ in copy.withUnsafeBytes { node.write($0, at: Int(offset)) } }
    }

    func sync() throws(StorageError) {
        do throws(StorageError) {
            try disk.mayFail("sync", path)
        } catch {
            // The kernel says it once and takes the pages for clean from then on.
            disk.state.withLock { _ in node.dirty = [] }
            throw error
        }
        disk.state.withLock { _ in
            for range in node.dirty { node.flush(range) { _ in true } }
            node.dirty = []
        }
    }

    func allocate(_ length: Int64) throws(StorageError) {
        try disk.mayFail("allocate", path)
    }

    func truncate(to length: Int64) throws(StorageError) {
        try disk.mayFail("truncate", path)
        disk.state.withLock { _ in
            for part in [\SimulatedFileSystem.Node.bytes, \.durable] {
                let bytes = node[keyPath: part]
                let zeros = repeatElement(0 as UInt8, count: max(0, Int(length) - bytes.count))
                node[keyPath: part] = Array(bytes.prefix(Int(length))) + zeros
            }
        }
    }

    func lock() throws(StorageError) -> Bool {
        disk.state.withLock { _ in
            if node.isLocked { return false }
            node.isLocked = true
            return true
        }
    }

    func close() {}
}

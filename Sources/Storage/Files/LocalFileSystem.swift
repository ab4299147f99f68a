import CLinux

#if canImport(Glibc)
    import Glibc
#endif

/// The file systems of the machine.
package struct LocalFileSystem: FileSystem {
    package init() {}

    package var sqliteVFS: String? { CheckedVFS.local.name }

    package func open(_ path: String, _ mode: FileMode) throws(StorageError) -> any File {
        let flags: Int32 =
            switch mode {
            case .existing: O_RDWR
            case .create: O_RDWR | O_CREAT | O_TRUNC
            case .openOrCreate: O_RDWR | O_CREAT
            case .readOnly: O_RDONLY
            }
        let descriptor = try descriptor(path, flags)
        return LocalFile(descriptor: descriptor, path: path)
    }

    private func descriptor(_ path: String, _ flags: Int32) throws(StorageError) -> Int32 {
        try DescriptorReserve.shared.lend { () throws(StorageError) in
            try check("open", path) { Glibc.open(path, flags | O_CLOEXEC, 0o600) }
        }
    }

    package func rename(_ path: String, to target: String) throws(StorageError) {
        try check("rename", path) { Glibc.rename(path, target) }
    }

    package func remove(_ path: String) throws(StorageError) {
        try check("remove", path) { unlink(path) }
    }

    package func list(_ path: String) throws(StorageError) -> [String] {
        guard let directory = opendir(path) else { throw .system(operation: "list", path: path, errno: errno) }
        defer { closedir(directory) }
        var names: [String] = []
        errno = 0
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw .system(operation: "list", path: path, errno: errno) }
        return names.sorted()
    }

    package func exists(_ path: String) throws(StorageError) -> Bool {
        do throws(StorageError) {
            try check("look for", path) { access(path, F_OK) }
            return true
        } catch {
            switch error {
            case .system(_, _, ENOENT), .system(_, _, ENOTDIR): return false
            default: throw error
            }
        }
    }

    package func makeDirectory(_ path: String) throws(StorageError) {
        do throws(StorageError) {
            try check("make", path) { mkdir(path, 0o700) }
        } catch {
            if case .system(_, _, EEXIST) = error { return }
            throw error
        }
    }

    package func syncDirectory(_ path: String) throws(StorageError) {
        let descriptor = try descriptor(path, O_RDONLY | O_DIRECTORY)
        defer { Glibc.close(descriptor) }
        try check("sync", path) { fsync(descriptor) }
    }

    package func syncAll(_ path: String) throws(StorageError) {
        let descriptor = try descriptor(path, O_RDONLY | O_DIRECTORY)
        defer { Glibc.close(descriptor) }
        // Reports writes that failed since Linux 5.8 (syncfs(2)).
        try check("sync", path) { cl_sync_file_system(descriptor) }
    }
}

/// Calls again what a signal interrupted, and throws what failed.
@discardableResult
func check<Value: SignedInteger>(
    _ operation: String, _ path: String, _ call: () -> Value
) throws(StorageError) -> Value {
    while true {
        let result = call()
        if result >= 0 { return result }
        let code = errno
        if code != EINTR { throw .system(operation: operation, path: path, errno: code) }
    }
}

/// `@unchecked Sendable`: positional reads and writes may come from many threads; `append` and `close` need their owner's care.
private final class LocalFile: File, @unchecked Sendable {
    private var descriptor: Int32
    private let path: String
    /// What was appended last, where the file is written past the page cache at the moment.
    private var tail: DirectTail?
    private var canBeDirect = true

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close() }

    func size() throws(StorageError) -> Int64 {
        var status = stat()
        try check("inspect", path) { fstat(descriptor, &status) }
        return Int64(status.st_size)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageError) -> Int {
        try useCache()
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = try check("read", path) {
                pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + done)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageError) {
        try useCache()
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            done += try check("write", path) { pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + done) }
        }
    }

    func append(
        _ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, at offset: Int64
    ) throws(StorageError) {
        if tail == nil, canBeDirect {
            canBeDirect = cl_set_direct(descriptor, 1) == 0
            if canBeDirect { tail = DirectTail(descriptor: descriptor, path: path) }
        }
        do throws(StorageError) {
            if let tail { return try tail.append(head, body, at: offset) }
        } catch {
            // A file system may take the flag, and nothing that is written with it.
            switch error {
            case .system(_, _, EINVAL), .system(_, _, EOPNOTSUPP): canBeDirect = false
            default: throw error
            }
        }
        try writeAndSync(head, body, at: offset)
    }

    /// Ends writing past the page cache, for which memory, offsets and lengths must be a disk's.
    private func useCache() throws(StorageError) {
        guard tail != nil else { return }
        try check("reset", path) { cl_set_direct(descriptor, 0) }
        tail = nil
    }

    func sync() throws(StorageError) {
        try check("sync", path) { fdatasync(descriptor) }
    }

    func allocate(_ length: Int64) throws(StorageError) {
        do throws(StorageError) {
            try check("allocate", path) { cl_fallocate(descriptor, 0, length) }
        } catch {
            // A file system that cannot reserve room still can be written.
            if case .system(_, _, EOPNOTSUPP) = error { return }
            throw error
        }
    }

    func truncate(to length: Int64) throws(StorageError) {
        try check("truncate", path) { ftruncate(descriptor, off_t(length)) }
    }

    func lock() throws(StorageError) -> Bool {
        do throws(StorageError) {
            try check("lock", path) { cl_lock_exclusive(descriptor) }
            return true
        } catch {
            if case .system(_, _, EWOULDBLOCK) = error { return false }
            throw error
        }
    }

    func close() {
        if descriptor >= 0 { DescriptorReserve.shared.close(descriptor) }
        descriptor = -1
    }
}

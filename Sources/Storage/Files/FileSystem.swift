/// The disk, so that a simulated one can stand in: only what the journal, the lock and the directories need.
/// SQLite reaches the same disk through `sqliteVFS`.
package protocol FileSystem: Sendable {
    /// Name of the registered SQLite VFS that serves this disk and checks pages (`CheckedVFS`); nil for SQLite's own, which does not.
    var sqliteVFS: String? { get }
    /// Opens a file for reading and writing.
    func open(_ path: String, _ mode: FileMode) throws(StorageError) -> any File
    func rename(_ path: String, to target: String) throws(StorageError)
    func remove(_ path: String) throws(StorageError)
    /// The names in a directory, sorted.
    func list(_ path: String) throws(StorageError) -> [String]
    /// False only where it is known that nothing of that name is there: a disk that cannot say throws.
    func exists(_ path: String) throws(StorageError) -> Bool
    /// Makes a directory that only the server's user may enter; one that is there already is left as it is.
    func makeDirectory(_ path: String) throws(StorageError)
    /// Makes the names in a directory (created, renamed, removed) survive a power cut.
    func syncDirectory(_ path: String) throws(StorageError)
    /// Makes everything written to the disk that `path` is on survive a power cut.
    func syncAll(_ path: String) throws(StorageError)
}

package enum FileMode: Sendable {
    /// The file must be there.
    case existing
    /// The file is made, and emptied if it is there.
    case create
    /// The file is made if it is not there.
    case openOrCreate
    case readOnly
}

/// One open file. Closed when the last reference goes, or by `close`.
package protocol File: AnyObject, Sendable {
    func size() throws(StorageError) -> Int64
    /// Reads until the buffer is full or the file ends; returns how many bytes were read.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageError) -> Int
    /// Writes all of it.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageError)
    /// Writes both, one behind the other, and makes them survive a power cut. For a file that one thread writes from its beginning
    /// on: what stands behind them, up to the end of a block of the disk, may be zero afterwards.
    func append(_ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, at offset: Int64) throws(StorageError)
    /// Makes everything written, and the size, survive a power cut.
    func sync() throws(StorageError)
    /// Reserves room on the disk, so that later writes below `length` cannot fail for want of it.
    func allocate(_ length: Int64) throws(StorageError)
    func truncate(to length: Int64) throws(StorageError)
    /// An exclusive lock for the life of the open file; false where another process has it.
    func lock() throws(StorageError) -> Bool
    func close()
}

extension FileSystem {
    /// Removes a file that counts for nothing, where that can be done.
    func discard(_ path: String) {
        do throws(StorageError) {
            try remove(path)
        } catch {
            // It stays, and is removed when the directory is next opened.
        }
    }
}

extension File {
    /// All bytes of the file.
    func readAll() throws(StorageError) -> [UInt8] {
        let length = Int(try size())
        return try [UInt8](capacity: length) { (buffer) throws(StorageError) in try read(into: buffer, at: 0) }
    }

    func append(
        _ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, at offset: Int64
    ) throws(StorageError) {
        try writeAndSync(head, body, at: offset)
    }

    /// Appends as every file can.
    func writeAndSync(
        _ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, at offset: Int64
    ) throws(StorageError) {
        if !head.isEmpty { try write(head, at: offset) }
        if !body.isEmpty { try write(body, at: offset + Int64(head.count)) }
        try sync()
    }

    func append(_ head: [UInt8], _ body: [UInt8] = [], at offset: Int64) throws(StorageError) {
        try head.readable { (head) throws(StorageError) in
            try body.readable { (body) throws(StorageError) in try append(head, body, at: offset) }
        }
    }

    func write(_ bytes: [UInt8], at offset: Int64) throws(StorageError) {
        try bytes.readable { (buffer) throws(StorageError) in try write(buffer, at: offset) }
    }
}

extension [UInt8] {
    /// An array filled by `body`, which returns how many bytes it wrote.
    init(
        capacity: Int, _ body: (UnsafeMutableRawBufferPointer) throws(StorageError) -> Int
    ) throws(StorageError) {
        var failure: StorageError?
        self.init(unsafeUninitializedCapacity: capacity) { buffer, count in
            do throws(StorageError) {
                count = try body(UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: capacity))
            } catch {
                failure = error
                count = 0
            }
        }
        if let failure { throw failure }
    }

    /// The bytes in place, with the error's type kept.
    func readable<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try span.withUnsafeBytes(body)
    }
}

import CLinux

#if canImport(Glibc)
    import Glibc
#endif

/// The end of a file that is written past the kernel's page cache, in whole blocks (open(2), `O_DIRECT`). Each write is durable
/// when it returns (`RWF_DSYNC`): one call in place of three, no pages to clean and to look up, and where the disk can write
/// through its own cache, no flush of all that is in there.
///
/// What a block holds already is kept here, and written once more with what is appended.
final class DirectTail {
    /// Of memory, offset and length: the largest unit that disks ask for.
    static let blockBytes = 4_096

    private let descriptor: Int32
    private let path: String
    private let memory = UnsafeMutableRawBufferPointer.allocate(
        byteCount: StorageLimits.directBytes, alignment: blockBytes)
    /// Bytes in `memory`, and where its first one belongs, at the beginning of a block.
    private var filled = 0
    private var start: Int64 = 0
    /// The bytes are what the disk has there.
    private var isKnown = false

    /// - Parameter descriptor: open with `O_DIRECT`, and for longer than this lives.
    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit { memory.deallocate() }

    func append(
        _ head: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, at offset: Int64
    ) throws(StorageError) {
        if !isKnown || start + Int64(filled) != offset { try read(upTo: offset) }
        isKnown = false
        try add(head)
        try add(body)
        let rest = filled % Self.blockBytes
        if rest > 0 { memset(memory.baseAddress! + filled, 0, Self.blockBytes - rest) }
        let whole = filled - rest
        try write(rest > 0 ? whole + Self.blockBytes : whole)
        memmove(memory.baseAddress!, memory.baseAddress! + whole, rest)
        start += Int64(whole)
        filled = rest
        isKnown = true
    }

    private func add(_ bytes: UnsafeRawBufferPointer) throws(StorageError) {
        var bytes = bytes
        while !bytes.isEmpty {
            let count = min(bytes.count, memory.count - filled)
            memcpy(memory.baseAddress! + filled, bytes.baseAddress!, count)
            filled += count
            bytes = UnsafeRawBufferPointer(rebasing: bytes[count...])
            guard filled == memory.count else { continue }
            try write(filled)
            start += Int64(filled)
            filled = 0
        }
    }

    private func write(_ count: Int) throws(StorageError) {
        var done = 0
        while done < count {
            let written = try check("write", path) {
                cl_write_durably(descriptor, memory.baseAddress! + done, count - done, start + Int64(done))
            }
            // Of a block that was written in part all is written once more.
            let whole = (done + written) / Self.blockBytes * Self.blockBytes
            guard whole > done else { throw .system(operation: "write", path: path, errno: EIO) }
            done = whole
        }
    }

    /// Takes what the offset's block holds before it.
    private func read(upTo offset: Int64) throws(StorageError) {
        filled = Int(offset % Int64(Self.blockBytes))
        start = offset - Int64(filled)
        guard filled > 0 else { return }
        let count = try check("read", path) { pread(descriptor, memory.baseAddress!, Self.blockBytes, off_t(start)) }
        if count < filled { memset(memory.baseAddress! + count, 0, filled - count) }
    }
}

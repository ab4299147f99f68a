import CLinux
import Ledger

/// How far the copy of a book goes.
struct BookMark: Equatable, Sendable {
    /// The last entry.
    var sequence: UInt64 = 0
    /// Its hash.
    var head: ChainHash
    /// Bytes of the file up to here.
    var bytes: Int64 = 0
    /// The checksum that the next frame goes on from.
    var chain: UInt32 = 0
    /// The date of the newest refusal.
    var refusals = Instant.zero

    /// Before the file's first byte.
    init(beginningOf tenant: TenantID) {
        head = HashChain.origin(of: tenant)
    }

    init(sequence: UInt64, head: ChainHash, bytes: Int64, chain: UInt32, refusals: Instant) {
        self.sequence = sequence
        self.head = head
        self.bytes = bytes
        self.chain = chain
        self.refusals = refusals
    }
}

/// What a tenant's file of a backup begins with: 80 bytes, little-endian, followed by frames.
///
/// | offset | bytes | |
/// |---|---|---|
/// | 0 | 8 | `TGBOOK1`, a zero: what it is, and the version of the format |
/// | 8 | 64 | the tenant's name, behind its length in one byte |
/// | 72 | 4 | zero |
/// | 76 | 4 | CRC-32C of the bytes before |
///
/// A frame is a `BatchHeader` and its payload: entries of the book, or refusals, as the shard keeps them, each behind its
/// length as a varint. In place of a salt stands which of the two they are. `first` is the number of the first entry, or the
/// date of the newest refusal. Frames are only ever appended; each carries the checksum of the one before it.
enum BookFile {
    static let headerBytes = 80
    private static let magic = Array("TGBOOK1\0".utf8)

    enum Content: UInt64 {
        /// `TGENTRY1`
        case entries = 0x3159_5254_4E45_4754
        /// `TGREFUS1`
        case refusals = 0x3153_5546_4552_4754
    }

    static func header(of tenant: TenantID) -> (bytes: [UInt8], checksum: UInt32) {
        let name = Array(tenant.description.utf8)
        var bytes = magic + [UInt8(name.count)] + name
        bytes += repeatElement(0, count: headerBytes - 4 - bytes.count)
        let sum = bytes.readable { cl_crc32c(0, $0.baseAddress, $0.count) }
        withUnsafeBytes(of: sum.littleEndian) { bytes += $0 }
        return (bytes, sum)
    }
}

/// What one frame holds, while it is gathered or after it was read: bodies, each behind its length.
struct FramePayload {
    private(set) var bytes: [UInt8] = []
    private(set) var count = 0

    init() {}

    fileprivate init(bytes: [UInt8], count: Int) {
        self.bytes = bytes
        self.count = count
    }

    mutating func add(_ body: UnsafeRawBufferPointer) {
        bytes += Varint.bytes(UInt64(body.count))
        bytes += body
        count += 1
    }

    /// Calls `body` with each; false where the bytes are not as many bodies as they should be.
    func forEach(_ body: (UnsafeRawBufferPointer) throws(StorageError) -> Void) throws(StorageError) -> Bool {
        try bytes.readable { (bytes) throws(StorageError) in
            var offset = 0
            for _ in 0..<count {
                guard let length = Varint.read(bytes, at: &offset), length <= UInt64(bytes.count - offset) else {
                    return false
                }
                try body(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Int(length)]))
                offset += Int(length)
            }
            return offset == bytes.count
        }
    }
}

/// Reads a tenant's file of a backup frame by frame, from a mark on, and checks all of it.
struct BookFileReader {
    struct Frame {
        let content: BookFile.Content
        let payload: FramePayload
    }

    let path: String
    private let tenant: TenantID
    private let file: any File
    private(set) var mark: BookMark

    init(_ file: any File, path: String, tenant: TenantID, from mark: BookMark? = nil) {
        self.file = file
        self.path = path
        self.tenant = tenant
        self.mark = mark ?? BookMark(beginningOf: tenant)
    }

    /// The next frame; nil where the file is over at `end`. What does not check is an error that names the byte.
    mutating func next(before end: Int64) throws(StorageError) -> Frame? {
        if mark.bytes == 0 { try readHeader(before: end) }
        guard mark.bytes < end else { return nil }
        let head = try bytes(BatchHeader.byteCount, at: mark.bytes, before: end)
        let found = head.readable { BatchHeader.read($0, at: 0) }
        guard let (header, sum) = found, let content = BookFile.Content(rawValue: header.salt),
            header.previous == mark.chain, header.count > 0, header.payloadBytes <= StorageLimits.maxBackupFrameBytes
        else { throw damage("the frame at byte \(mark.bytes) does not check") }
        let payload = try bytes(
            Int(header.payloadBytes), at: mark.bytes + Int64(BatchHeader.byteCount), before: end)
        guard payload.readable({ header.describes($0) }) else {
            throw damage("the contents of the frame at byte \(mark.bytes) do not check")
        }
        let frame = Frame(content: content, payload: FramePayload(bytes: payload, count: Int(header.count)))
        try take(frame, header)
        mark.bytes += Int64(BatchHeader.byteCount + payload.count)
        mark.chain = sum
        return frame
    }

    private mutating func take(_ frame: Frame, _ header: BatchHeader) throws(StorageError) {
        guard frame.content == .entries else {
            mark.refusals = max(mark.refusals, Instant(microseconds: Int64(bitPattern: header.first)))
            return
        }
        guard header.first == mark.sequence + 1 else {
            throw damage("the frame at byte \(mark.bytes) begins with entry \(header.first) after \(mark.sequence)")
        }
        var head = mark.head
        let isWhole = try frame.payload.forEach { (body) throws(StorageError) in head = HashChain.link(head, body) }
        guard isWhole else { throw damage("the frame at byte \(mark.bytes) is not made of entries") }
        mark.head = head
        mark.sequence += UInt64(frame.payload.count)
    }

    private mutating func readHeader(before end: Int64) throws(StorageError) {
        let (expected, sum) = BookFile.header(of: tenant)
        guard try bytes(expected.count, at: 0, before: end) == expected else {
            throw damage("it does not begin as the file of tenant \(tenant)")
        }
        mark.bytes = Int64(expected.count)
        mark.chain = sum
    }

    private func bytes(_ count: Int, at offset: Int64, before end: Int64) throws(StorageError) -> [UInt8] {
        guard Int64(count) <= end - offset else { throw damage("it ends in the middle of the frame at byte \(offset)") }
        let bytes = try [UInt8](capacity: count) { (buffer) throws(StorageError) in
            try file.read(into: buffer, at: offset)
        }
        guard bytes.count == count else { throw damage("it ends at byte \(offset + Int64(bytes.count))") }
        return bytes
    }

    func damage(_ reason: String) -> StorageError { .corrupt(path: path, reason: reason) }
}

/// Appends frames to a tenant's file of a backup. Nothing counts before the manifest says so, and nothing is durable before
/// the file is synced.
struct BookFileWriter {
    private let file: any File
    private(set) var mark: BookMark

    /// - Parameter mark: the end of what counts, and of the file.
    init(_ file: any File, tenant: TenantID, from mark: BookMark) throws(StorageError) {
        self.file = file
        self.mark = mark
        guard mark.bytes == 0 else { return }
        let (bytes, sum) = BookFile.header(of: tenant)
        try file.write(bytes, at: 0)
        self.mark.bytes = Int64(bytes.count)
        self.mark.chain = sum
    }

    /// - Parameter head: the hash of the last of these entries.
    mutating func append(entries payload: FramePayload, head: ChainHash) throws(StorageError) {
        guard payload.count > 0 else { return }
        try append(payload, .entries, first: mark.sequence + 1)
        mark.sequence += UInt64(payload.count)
        mark.head = head
    }

    mutating func append(refusals payload: FramePayload, newest: Instant) throws(StorageError) {
        guard payload.count > 0 else { return }
        try append(payload, .refusals, first: UInt64(bitPattern: newest.microseconds))
        mark.refusals = max(mark.refusals, newest)
    }

    private mutating func append(
        _ payload: FramePayload, _ content: BookFile.Content, first: UInt64
    ) throws(StorageError) {
        let header = BatchHeader(
            salt: content.rawValue, first: first, count: payload.count, payload: payload.bytes, previous: mark.chain)
        let (head, sum) = header.encoded()
        try file.write(head + payload.bytes, at: mark.bytes)
        mark.bytes += Int64(head.count + payload.bytes.count)
        mark.chain = sum
    }
}

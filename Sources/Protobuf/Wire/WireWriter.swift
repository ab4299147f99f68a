import Glibc

/// Writes the protobuf wire format into memory that it owns.
///
/// Everything is written in one pass: a nested message is written behind one byte kept free for its length and moved
/// only where its length needs more. A writer may begin with some bytes kept free, so that a caller can put a frame's head
/// before the message without a copy, and may be used again after `removeAll()`.
public struct WireWriter: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer
    @usableFromInline var capacity: Int
    @usableFromInline var length: Int

    /// How many bytes were written, those kept free at the beginning included.
    @inlinable
    public var count: Int { length }

    /// How many bytes it holds before it grows.
    @inlinable
    public var capacityByteCount: Int { capacity }

    /// A writer whose first `reservedPrefix` bytes are zero and left to the caller.
    public init(reservedPrefix: Int = 0) {
        capacity = max(Limits.writerInitialByteCount, reservedPrefix)
        base = malloc(capacity)
        memset(base, 0, reservedPrefix)
        length = reservedPrefix
    }

    deinit { free(base) }

    /// Forgets what was written, but for the first `prefix` bytes, and keeps the memory.
    public mutating func removeAll(keepingPrefix prefix: Int = 0) {
        precondition(prefix <= length, "A prefix that was never written cannot be kept.")
        length = prefix
    }

    /// What was written so far.
    @inlinable
    public func withUnsafeBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try body(UnsafeRawBufferPointer(start: base, count: length))
    }

    /// What was written so far, to be changed in place.
    @inlinable
    public mutating func withUnsafeMutableBytes<R, E: Error>(
        _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
    ) throws(E) -> R {
        try body(UnsafeMutableRawBufferPointer(start: base, count: length))
    }

    /// What was written so far, copied once.
    @inlinable
    public func bytes() -> [UInt8] { [UInt8](UnsafeRawBufferPointer(start: base, count: length)) }

    // MARK: Room

    /// Makes room for so many more bytes.
    @inlinable
    mutating func reserve(_ byteCount: Int) {
        if capacity - length < byteCount { grow(by: byteCount) }
    }

    /// Moves to a larger block, at least doubling, so that the cost per byte stays constant.
    @usableFromInline
    @inline(never)
    mutating func grow(by byteCount: Int) {
        capacity = max(capacity * 2, length + byteCount)
        base = realloc(base, capacity)
    }

    // MARK: Untagged values

    /// A varint. Most have one byte.
    @inlinable
    public mutating func putVarint(_ value: UInt64) {
        guard value < 0x80 else { return putLongVarint(value) }
        reserve(1)
        base.storeBytes(of: UInt8(truncatingIfNeeded: value), toByteOffset: length, as: UInt8.self)
        length += 1
    }

    @usableFromInline
    mutating func putLongVarint(_ value: UInt64) {
        reserve(Limits.varintByteCountMax)
        storeVarint(value)
    }

    /// A varint where there is room for it.
    @inlinable
    @inline(__always)
    mutating func storeVarint(_ value: UInt64) {
        var rest = value
        var place = base + length
        while rest >= 0x80 {
            place.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, as: UInt8.self)
            place += 1
            rest >>= 7
        }
        place.storeBytes(of: UInt8(truncatingIfNeeded: rest), as: UInt8.self)
        length = place + 1 - base
    }

    /// Four little-endian bytes.
    @inlinable
    public mutating func putFixed32(_ value: UInt32) {
        reserve(4)
        base.storeBytes(of: value.littleEndian, toByteOffset: length, as: UInt32.self)
        length += 4
    }

    /// Eight little-endian bytes.
    @inlinable
    public mutating func putFixed64(_ value: UInt64) {
        reserve(8)
        base.storeBytes(of: value.littleEndian, toByteOffset: length, as: UInt64.self)
        length += 8
    }

    /// Bytes as they are, without a length.
    @inlinable
    public mutating func putRaw(_ bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty else { return }
        reserve(bytes.count)
        (base + length).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
        length += bytes.count
    }

    /// A string's length and its UTF-8.
    @inlinable
    public mutating func putString(_ value: String) {
        var text = value
        text.withUTF8 { utf8 in
            putVarint(UInt64(utf8.count))
            putRaw(UnsafeRawBufferPointer(utf8))
        }
    }

    /// Bytes behind their length.
    @inlinable
    public mutating func putBytes(_ value: [UInt8]) {
        putVarint(UInt64(value.count))
        value.withUnsafeBytes { putRaw($0) }
    }

    /// The fields that were read and not known.
    @inlinable
    public mutating func writeUnknown(_ fields: UnknownFields) {
        guard !fields.isEmpty else { return }
        fields.bytes.withUnsafeBytes { putRaw($0) }
    }

    // MARK: Lengths that are known only afterwards

    /// Keeps one byte free for a length and returns where what is measured begins.
    @inlinable
    mutating func beginLength() -> Int {
        reserve(1)
        length += 1
        return length
    }

    /// Writes the length of what stands behind `start` before it.
    @inlinable
    mutating func endLength(_ start: Int) {
        let size = length - start
        if size < 0x80 {
            base.storeBytes(of: UInt8(truncatingIfNeeded: size), toByteOffset: start - 1, as: UInt8.self)
        } else {
            endLongLength(start, size)
        }
    }

    /// Moves what stands behind `start` to make room for a length of several bytes.
    @usableFromInline
    @inline(never)
    mutating func endLongLength(_ start: Int, _ size: Int) {
        let extra = (UInt64.bitWidth - UInt64(size).leadingZeroBitCount - 1) / 7
        reserve(extra)
        memmove(base + start + extra, base + start, size)
        length = start - 1
        putVarint(UInt64(size))
        length += size
    }
}

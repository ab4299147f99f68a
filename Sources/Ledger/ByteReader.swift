/// Reads what `ByteWriter` wrote. Never reads beyond the end, whatever the bytes are.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0
    /// Of the layout that the bytes have: see `EntryCodec.version`.
    var version = EntryCodec.version

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    var remaining: Int { bytes.count - offset }

    func end() throws(CodecError) {
        if remaining > 0 { throw .trailing }
    }

    mutating func byte() throws(CodecError) -> UInt8 {
        guard offset < bytes.count else { throw .truncated }
        defer { offset += 1 }
        return bytes[offset]
    }

    @inline(__always)
    mutating func varint() throws(CodecError) -> UInt64 {
        // Most numbers are short.
        if offset < bytes.count, bytes[offset] < 0x80 {
            defer { offset += 1 }
            return UInt64(bytes[offset])
        }
        return try longVarint()
    }

    /// Where eight bytes can be read at once a number that ends within them is put together without a loop.
    private mutating func longVarint() throws(CodecError) -> UInt64 {
        guard remaining >= 8 else { return try slowVarint() }
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        let ends = ~word & 0x8080_8080_8080_8080
        guard ends != 0 else { return try slowVarint() }
        offset += (ends.trailingZeroBitCount &+ 1) &>> 3
        // All bits up to the end of the last byte, and of each byte the lower seven, moved together.
        var value = word & (ends ^ (ends &- 1)) & 0x7F7F_7F7F_7F7F_7F7F
        value = (value & 0x007F_007F_007F_007F) | (value & 0x7F00_7F00_7F00_7F00) &>> 1
        value = (value & 0x0000_3FFF_0000_3FFF) | (value & 0x3FFF_0000_3FFF_0000) &>> 2
        return (value & 0x0FFF_FFFF) | (value & 0x0FFF_FFFF_0000_0000) &>> 4
    }

    private mutating func slowVarint() throws(CodecError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try byte()
            // The tenth byte has one bit left of the 64.
            if shift == 63, byte > 1 { throw .invalid(field: .varint) }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    mutating func zigZag() throws(CodecError) -> Int64 {
        Int64(zigZag: try varint())
    }

    mutating func number() throws(CodecError) -> UInt32 {
        guard let number = UInt32(exactly: try varint()) else { throw .invalid(field: .varint) }
        return number
    }

    mutating func fixed() throws(CodecError) -> UInt64 {
        guard remaining >= 8 else { throw .truncated }
        defer { offset += 8 }
        return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    mutating func id() throws(CodecError) -> StepID {
        guard remaining >= 16 else { throw .truncated }
        defer { offset += 16 }
        return StepID(
            high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)))
    }

    mutating func text() throws(CodecError) -> String {
        try Self.text(try textBytes())
    }

    private static func text(_ bytes: UnsafeRawBufferPointer) throws(CodecError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .invalid(field: .text) }
        return text
    }

    /// A text as its bytes, which may be none of UTF-8.
    mutating func textBytes() throws(CodecError) -> UnsafeRawBufferPointer {
        let length = try count(ofAtLeast: 1)
        return take(length)
    }

    /// So many bytes, which are known to be left.
    private mutating func take(_ length: Int) -> UnsafeRawBufferPointer {
        defer { offset += length }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
    }

    /// The name of a unit; see `UnitNames`.
    mutating func unit() throws(CodecError) -> String {
        switch try unitName() {
        case .known(let name): name
        case .other(let bytes): try Self.text(bytes)
        }
    }

    mutating func skipUnit() throws(CodecError) { _ = try unitName() }

    private enum UnitName {
        case known(String)
        case other(UnsafeRawBufferPointer)
    }

    private mutating func unitName() throws(CodecError) -> UnitName {
        if version < UnitNames.firstVersion { return .other(try textBytes()) }
        let code = try varint()
        if code & 1 == 1 {
            guard let name = UnitNames.name(of: code >> 1) else { throw .invalid(field: .unit) }
            return .known(name)
        }
        guard code >> 1 <= UInt64(remaining) else { throw .truncated }
        return .other(take(Int(code >> 1)))
    }

    /// What `later`, a copy that read on, has read since.
    func bytes(upTo later: ByteReader) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[offset..<later.offset])
    }

    mutating func distance(from start: Instant) throws(CodecError) -> Instant {
        let code = try varint()
        let distance: Int64
        if code == 1 {
            distance = Int64(bitPattern: try fixed())
        } else if code & 1 == 1 {
            distance = Int64(zigZag: code >> 1)
        } else {
            let (product, overflow) = Int64(zigZag: code >> 1).multipliedReportingOverflow(by: 1_000_000)
            if overflow { throw .invalid(field: .duration) }
            distance = product
        }
        return Instant(microseconds: start.microseconds &+ distance)
    }

    /// How many items follow. Each takes at least `size` bytes, so that a wrong count never makes room for more than the
    /// bytes can hold.
    mutating func count(ofAtLeast size: Int) throws(CodecError) -> Int {
        let count = try varint()
        guard count <= UInt64(remaining / size) else { throw .truncated }
        return Int(count)
    }
}

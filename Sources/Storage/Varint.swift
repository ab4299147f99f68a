/// Little-endian base-128 numbers, as in Protobuf.
enum Varint {
    static func bytes(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
        return bytes
    }

    /// The number at `offset`, which moves behind it; nil where the bytes end first or it does not fit 64 bits.
    static func read(_ bytes: UnsafeRawBufferPointer, at offset: inout Int) -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while offset < bytes.count, shift < 64 {
            let byte = bytes[offset]
            offset += 1
            let low = UInt64(byte & 0x7F)
            if shift == 63, low > 1 { return nil }
            value |= low << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        return nil
    }
}

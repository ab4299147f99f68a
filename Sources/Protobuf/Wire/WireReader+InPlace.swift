/// For readers by hand, which take fields where they lie instead of making a message of them.
extension WireReader {
    /// A value of type `string`, checked to be UTF-8, in place.
    @inlinable
    public mutating func utf8() throws(WireError) -> UnsafeRawBufferPointer {
        let bytes = try lengthDelimited()
        if !WireReader.isASCII(bytes) { try WireReader.checkUTF8(bytes) }
        return bytes
    }

    /// Reads the nested message that comes next, with what `body` makes of its fields; it must read it to its end.
    @inlinable
    public mutating func nested(_ body: (inout WireReader) throws(WireError) -> Void) throws(WireError) {
        let outerEnd = try enter()
        try body(&self)
        leave(outerEnd)
    }

    @inlinable
    static func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var high: UInt64 = 0
        let words = bytes.count / 8
        for word in 0..<words { high |= bytes.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self) }
        for index in words * 8..<bytes.count { high |= UInt64(bytes[index]) }
        return high & 0x8080_8080_8080_8080 == 0
    }

    @usableFromInline
    static func checkUTF8(_ bytes: UnsafeRawBufferPointer) throws(WireError) {
        do {
            _ = try UTF8Span(validating: bytes.assumingMemoryBound(to: UInt8.self).span)
        } catch {
            throw .invalidUTF8
        }
    }
}

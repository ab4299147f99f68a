import CNghttp2

/// A block of header fields in their order, all in one allocation.
///
/// Each field stands in the arena as the lengths of its name and value (four bytes each), then the bytes of both. A
/// block has about ten fields, so that walking it beats any index.
package struct HTTP2Headers: Sendable, Equatable {
    private var arena: [UInt8]
    /// The number of fields.
    package private(set) var count = 0
    /// Names and values and 32 bytes for each field, as RFC 9113 section 6.5.2 counts them.
    package private(set) var listSizeBytes = 0

    /// An empty block.
    package init() { arena = [] }

    /// An empty block with room for fields of so many bytes together.
    package init(reservingBytes: Int) {
        arena = []
        arena.reserveCapacity(reservingBytes)
    }

    /// A received block, copied.
    package init(_ block: HTTP2HeaderBlock) {
        arena = Array(block.bytes)
        count = block.count
        listSizeBytes = block.listSizeBytes
    }

    /// The bytes that the fields take here.
    package var arenaBytes: Int { arena.count }

    /// Calls `body` with the block as it is received, valid only within the call.
    package func withBlock<Result>(_ body: (HTTP2HeaderBlock) -> Result) -> Result {
        withArena { body(HTTP2HeaderBlock(bytes: $0, count: count, listSizeBytes: listSizeBytes)) }
    }

    func withArena<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result { arena.withUnsafeBytes(body) }

    /// Adds a constant field; the name in lower case.
    package mutating func add(_ name: StaticString, _ value: StaticString) {
        append(
            UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount),
            UnsafeRawBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount))
    }

    /// Adds a field; the name in lower case.
    package mutating func add(name: String, value: String) {
        var name = name
        var value = value
        name.withUTF8 { name in
            value.withUTF8 { append(UnsafeRawBufferPointer(name), UnsafeRawBufferPointer($0)) }
        }
    }

    /// Adds a field of bytes; the name in lower case.
    package mutating func append(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: name.count)) { arena.append(contentsOf: $0) }
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: value.count)) { arena.append(contentsOf: $0) }
        arena.append(contentsOf: name)
        arena.append(contentsOf: value)
        count += 1
        listSizeBytes += name.count + value.count + 32
    }

    /// Calls `body` with the bytes of each field, valid only within the call, until it answers false.
    package func forEachWhile(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool) {
        arena.withUnsafeBytes { Self.walk($0, body) }
    }

    private static func walk(
        _ bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Bool
    ) {
        var at = 0
        while at < bytes.count {
            let nameLength = Int(bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
            let valueLength = Int(bytes.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self))
            let valueAt = at + 8 + nameLength
            at = valueAt + valueLength
            let name = UnsafeRawBufferPointer(rebasing: bytes[valueAt - nameLength..<valueAt])
            let value = UnsafeRawBufferPointer(rebasing: bytes[valueAt..<at])
            if !body(name, value) { return }
        }
    }

    /// Calls `body` with the block laid out for nghttp2, valid only within the call.
    func withFields<Result>(_ body: (UnsafeBufferPointer<nghttp2_nv>) -> Result) -> Result {
        arena.withUnsafeBytes { bytes in
            withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: count) { fields in
                var index = 0
                Self.walk(bytes) { name, value in
                    fields.initializeElement(
                        at: index,
                        to: nghttp2_nv(
                            name: Self.pointer(name), value: Self.pointer(value), namelen: name.count,
                            valuelen: value.count, flags: 0))
                    index += 1
                    return true
                }
                return body(UnsafeBufferPointer(fields))
            }
        }
    }

    /// nghttp2 only reads what the pointer shows.
    private static func pointer(_ bytes: UnsafeRawBufferPointer) -> UnsafeMutablePointer<UInt8>? {
        UnsafeMutablePointer(mutating: bytes.assumingMemoryBound(to: UInt8.self).baseAddress)
    }

    /// Calls `body` with the bytes of each field, valid only within the call.
    package func forEach(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void) {
        forEachWhile { name, value in
            body(name, value)
            return true
        }
    }

    /// Calls `body` with the first value of the name; nil where there is none.
    package func withValue<Result>(of name: StaticString, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        let wanted = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        var result: Result?
        forEachWhile { name, value in
            guard name.isSame(as: wanted) else { return true }
            result = body(value)
            return false
        }
        return result
    }

    /// The first value of the name as text; bytes that are not UTF-8 are replaced.
    package func value(of name: StaticString) -> String? {
        withValue(of: name) { String(decoding: $0, as: UTF8.self) }
    }

    /// Whether the first value of the name is this one.
    package func hasValue(_ value: StaticString, of name: StaticString) -> Bool {
        let wanted = UnsafeRawBufferPointer(start: value.utf8Start, count: value.utf8CodeUnitCount)
        return withValue(of: name) { $0.isSame(as: wanted) } ?? false
    }

    /// All fields as text, in their order.
    package var pairs: [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        pairs.reserveCapacity(count)
        forEach { pairs.append((String(decoding: $0, as: UTF8.self), String(decoding: $1, as: UTF8.self))) }
        return pairs
    }
}

extension UnsafeRawBufferPointer {
    /// Whether both have the same bytes.
    @inlinable
    package func isSame(as other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count where self[index] != other[index] { return false }
        return true
    }
}

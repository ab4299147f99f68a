/// The bytes of a received header block, borrowed for the time of a call, in the form that `HTTP2Headers` keeps.
///
/// Who has seen the same block before needs no copy of it, and need not read it again.
package struct HTTP2HeaderBlock {
    /// Each field as the lengths of its name and value (four bytes each), then the bytes of both.
    package let bytes: UnsafeRawBufferPointer
    /// The number of fields.
    let count: Int
    /// As `HTTP2Headers.listSizeBytes`.
    let listSizeBytes: Int

    /// A number that equal blocks share, and few others do. Cheap, and no secret: it may choose a place in a table.
    package var tableHash: UInt64 {
        var sum = UInt64(truncatingIfNeeded: bytes.count)
        let words = bytes.count / 8
        for word in 0..<words { sum &+= bytes.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self) }
        for index in words * 8..<bytes.count { sum &+= UInt64(bytes[index]) &<< UInt64(index & 7) }
        // Names that count up differ in a few digits: they are spread before they are folded.
        let spread = sum &* 0x9E37_79B9_7F4A_7C15
        return (spread ^ spread &>> 32) &* 0xD6E8_FEB8_6659_FD93
    }

    /// Whether the fields are these, in this order. Blocks hold keys: it takes as long wherever two of one length differ.
    package func isSame(as headers: HTTP2Headers) -> Bool {
        headers.withArena { arena in
            guard arena.count == bytes.count else { return false }
            var difference: UInt64 = 0
            let words = bytes.count / 8
            for word in 0..<words {
                let mine = bytes.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self)
                difference |= mine ^ arena.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self)
            }
            for index in words * 8..<bytes.count { difference |= UInt64(bytes[index] ^ arena[index]) }
            return difference == 0
        }
    }
}

/// Gathers the block that is coming in, in memory that the connection keeps from one block to the next.
struct HeaderBlockBuilder: ~Copyable {
    private var base = UnsafeMutableRawPointer.allocate(byteCount: Limits.headerArenaBytes, alignment: 8)
    private var capacity = Limits.headerArenaBytes
    private var used = 0
    private(set) var count = 0
    private(set) var listSizeBytes = 0

    deinit { base.deallocate() }

    /// What was gathered, until the next change.
    var block: HTTP2HeaderBlock {
        HTTP2HeaderBlock(
            bytes: UnsafeRawBufferPointer(start: base, count: used), count: count, listSizeBytes: listSizeBytes)
    }

    /// Forgets the block; memory beyond what most blocks take is given back.
    mutating func removeAll() {
        used = 0
        count = 0
        listSizeBytes = 0
        guard capacity > Limits.keptHeaderArenaBytes else { return }
        base.deallocate()
        base = .allocate(byteCount: Limits.headerArenaBytes, alignment: 8)
        capacity = Limits.headerArenaBytes
    }

    mutating func append(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        let fieldBytes = 8 + name.count + value.count
        if capacity - used < fieldBytes { grow(by: fieldBytes) }
        var target = base + used
        target.storeBytes(of: UInt32(truncatingIfNeeded: name.count), as: UInt32.self)
        target.storeBytes(of: UInt32(truncatingIfNeeded: value.count), toByteOffset: 4, as: UInt32.self)
        target += 8
        if let bytes = name.baseAddress { target.copyMemory(from: bytes, byteCount: name.count) }
        if let bytes = value.baseAddress { (target + name.count).copyMemory(from: bytes, byteCount: value.count) }
        used += fieldBytes
        count += 1
        listSizeBytes += name.count + value.count + 32
    }

    private mutating func grow(by fieldBytes: Int) {
        let grown = max(capacity * 2, used + fieldBytes)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 8)
        larger.copyMemory(from: base, byteCount: used)
        base.deallocate()
        base = larger
        capacity = grown
    }
}

/// Finds what belongs to a name by the name's bytes, so that a request that names it makes no string and no hash of one.
/// Made once, of names that are known beforehand.
package final class NameTable<Value: Sendable>: Sendable {
    private struct Entry: Sendable {
        let name: [UInt8]
        let value: Value
    }

    /// Open addressing: a power of two of slots, at most half of them taken.
    private let slots: [Entry?]

    package init(_ values: [String: Value]) {
        var size = 16
        while size < values.count * 2 { size *= 2 }
        var slots = [Entry?](repeating: nil, count: size)
        for (name, value) in values {
            let name = Array(name.utf8)
            var slot = name.withUnsafeBytes { Self.hash($0) } & (size - 1)
            while slots[slot] != nil { slot = (slot + 1) & (size - 1) }
            slots[slot] = Entry(name: name, value: value)
        }
        self.slots = slots
    }

    subscript(_ name: BorrowedText) -> Value? {
        let mask = slots.count - 1
        var slot = Self.hash(name.bytes) & mask
        while let entry = slots[slot] {
            if entry.name.withUnsafeBytes({ name.isSame(as: $0) }) { return entry.value }
            slot = (slot + 1) & mask
        }
        return nil
    }

    /// Of the length and both ends: the table is not filled by strangers, so collisions are harmless.
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hash = UInt64(bytes.count)
        if bytes.count >= 8 {
            hash ^= bytes.loadUnaligned(as: UInt64.self)
            hash = hash &* 0x9E37_79B9_7F4A_7C15
            hash ^= bytes.loadUnaligned(fromByteOffset: bytes.count - 8, as: UInt64.self)
        } else {
            for byte in bytes { hash = hash &<< 8 ^ UInt64(byte) }
        }
        return Int(truncatingIfNeeded: (hash &* 0x9E37_79B9_7F4A_7C15) &>> 32)
    }
}

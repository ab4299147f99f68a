/// Records gathered for one append. Owned by one thread at a time.
package struct JournalBatch: Sendable {
    /// Position of its first record.
    package private(set) var first: UInt64
    package private(set) var count = 0
    /// The records as they stand in the file.
    private(set) var payload: [UInt8] = []

    package init(first position: UInt64) {
        first = position
    }

    package var byteCount: Int { payload.count }

    /// Position of its last record; `first - 1` while it is empty.
    package var last: UInt64 { first + UInt64(count) - 1 }

    /// Adds the record that `encode` appends to the bytes it is given, shows it to `added`, and returns its position.
    @discardableResult
    package mutating func add(
        tenant: TenantID, record encode: (inout [UInt8]) -> Void, added: (UnsafeRawBufferPointer) -> Void = { _ in }
    ) -> UInt64 {
        // The length is not known yet: two bytes of a varint are kept free, which all but the largest records fit.
        payload.append(addingCapacity: TenantID.maxBytes + 3) { room in
            var name = tenant.description
            name.withUTF8 { name in
                room.append(UInt8(name.count))
                room.withUnsafeMutableBufferPointer { room, count in
                    _ = room.suffix(from: count).update(fromContentsOf: name)
                    count += name.count
                }
            }
            room.append(0x80)
            room.append(0)
        }
        let start = payload.count
        let lengthAt = start - 2
        encode(&payload)
        let length = payload.count - start
        precondition(length >= 0, "a record is appended, nothing before it is touched")
        payload.readable { added(UnsafeRawBufferPointer(rebasing: $0[start...])) }
        if length < 1 << 14 {
            payload[lengthAt] = UInt8(length & 0x7F) | 0x80
            payload[lengthAt + 1] = UInt8(length >> 7)
        } else {
            payload.replaceSubrange(lengthAt..<start, with: Varint.bytes(UInt64(length)))
        }
        defer { count += 1 }
        return first + UInt64(count)
    }

    /// Begins anew at another position, and keeps the room that it had.
    package mutating func removeAll(first position: UInt64) {
        first = position
        count = 0
        payload.removeAll(keepingCapacity: true)
    }
}

extension JournalBatch {
    /// Hands over each record in order, for a journal that keeps the batch elsewhere than in segments. The bytes are valid during
    /// the call.
    package func forEachRecord(
        _ body: (_ position: UInt64, _ tenant: TenantID, _ record: UnsafeRawBufferPointer) -> Void
    ) {
        payload.readable { payload in
            let batch = SegmentReader.Batch(first: first, count: count, payload: payload)
            let isWhole = (try? batch.forEachRecord { body($0, $1, $2) }) ?? false
            precondition(isWhole, "a batch is made of its records")
        }
    }
}

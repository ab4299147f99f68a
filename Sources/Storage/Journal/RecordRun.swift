import Ledger

/// Records of one tenant on their way from the journal to its shard, as they are encoded, in the order of their positions.
///
/// They are kept as bytes, one after the other in one buffer: the thread that journals them and the one that writes them
/// to the shard then share no objects, and a record costs what its bytes cost.
package struct RecordRun: Sendable {
    /// Before each record: its position (8 bytes) and its length (4 bytes).
    private static let headBytes = 12

    private var bytes: [UInt8] = []
    package private(set) var count = 0
    /// Positions of the first and the last record, 0 where there is none.
    package private(set) var firstPosition: UInt64 = 0
    package private(set) var lastPosition: UInt64 = 0

    package init() {}

    /// One record with these entries.
    package init(_ entries: [Entry], at position: UInt64) {
        var record: [UInt8] = []
        EntryCodec.encodeRecord(entries, into: &record)
        record.readable { append($0, at: position) }
    }

    package var isEmpty: Bool { count == 0 }

    package var byteCount: Int { bytes.count }

    package mutating func append(_ record: UnsafeRawBufferPointer, at position: UInt64) {
        precondition(position > lastPosition, "records are kept in the order of their positions")
        if count == 0 { firstPosition = position }
        lastPosition = position
        count += 1
        withUnsafeBytes(of: (position.littleEndian, UInt32(record.count).littleEndian)) { head in
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: head[..<Self.headBytes]))
        }
        bytes.append(contentsOf: record)
    }

    /// Adds the records of `later`, which come after these.
    package mutating func append(contentsOf later: RecordRun) {
        guard !later.isEmpty else { return }
        guard !isEmpty else {
            self = later
            return
        }
        precondition(later.firstPosition > lastPosition, "records are kept in the order of their positions")
        bytes += later.bytes
        count += later.count
        lastPosition = later.lastPosition
    }

    /// Calls `body` with each record until the end or until it throws.
    package func forEach<Failure: Error>(
        _ body: (_ position: UInt64, _ record: UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try bytes.readable { (bytes) throws(Failure) in
            var offset = 0
            while offset < bytes.count {
                let (position, end) = Self.head(bytes, at: offset)
                try body(position, UnsafeRawBufferPointer(rebasing: bytes[offset + Self.headBytes..<end]))
                offset = end
            }
        }
    }

    /// Keeps at most `maxCount` records up to `position` and returns the others, which come after them.
    package mutating func split(through position: UInt64, maxCount: Int = .max) -> RecordRun {
        if lastPosition <= position, count <= maxCount { return RecordRun() }
        var (end, kept, last) = (0, 0, UInt64(0))
        bytes.readable { bytes in
            while end < bytes.count, kept < maxCount {
                let (next, nextEnd) = Self.head(bytes, at: end)
                if next > position { break }
                (end, kept, last) = (nextEnd, kept + 1, next)
            }
        }
        var rest = RecordRun()
        rest.bytes = Array(bytes[end...])
        rest.count = count - kept
        rest.firstPosition = rest.bytes.readable { Self.head($0, at: 0).position }
        rest.lastPosition = lastPosition
        bytes.removeSubrange(end...)
        count = kept
        lastPosition = last
        if kept == 0 { firstPosition = 0 }
        return rest
    }

    private static func head(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> (position: UInt64, end: Int) {
        let position = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        let length = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt32.self))
        return (position, offset + headBytes + Int(length))
    }
}

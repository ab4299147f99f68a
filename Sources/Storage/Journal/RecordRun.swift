import Ledger

/// Records of one tenant on their way from the journal to its shard, as they are encoded, in the order of their positions.
///
/// They are kept as bytes, in pieces: the thread that journals them and the one that writes them to the shard then share no
/// objects, and a record costs what its bytes cost. A piece never grows, so that the runs of a hundred thousand tenants
/// do not all leave behind the memory that they grew out of.
package struct RecordRun: Sendable {
    /// Before each record: its position (8 bytes) and its length (4 bytes).
    private static let headBytes = 12

    /// Each holds whole records; the last one is being filled.
    private var earlier: [[UInt8]] = []
    private var last: [UInt8] = []
    package private(set) var count = 0
    package private(set) var byteCount = 0
    /// Positions of the first and the last record, 0 where there is none.
    package private(set) var firstPosition: UInt64 = 0
    package private(set) var lastPosition: UInt64 = 0

    package init() {}

    /// One record with these entries.
    package init(_ entries: [Entry], at position: UInt64) {
        var record: [UInt8] = []
        EntryCodec.encodeRecord(entries, into: &record)
        record.readable { _ = append($0, at: position) }
    }

    package var isEmpty: Bool { count == 0 }

    /// - Returns: how many bytes it takes here.
    @discardableResult
    package mutating func append(_ record: UnsafeRawBufferPointer, at position: UInt64) -> Int {
        precondition(position > lastPosition, "records are kept in the order of their positions")
        if count == 0 { firstPosition = position }
        lastPosition = position
        count += 1
        let length = Self.headBytes + record.count
        if last.capacity - last.count < length { beginPiece(for: length) }
        byteCount += length
        last.append(addingCapacity: length) { room in
            room.withUnsafeMutableBufferPointer { room, count in
                let room = UnsafeMutableRawBufferPointer(room)
                room.storeBytes(of: position.littleEndian, toByteOffset: 0, as: UInt64.self)
                room.storeBytes(of: UInt32(record.count).littleEndian, toByteOffset: 8, as: UInt32.self)
                UnsafeMutableRawBufferPointer(rebasing: room[Self.headBytes...]).copyMemory(from: record)
                count = length
            }
        }
        return length
    }

    /// Pieces grow with the run, so that there are few of them and little of the last one is empty.
    private mutating func beginPiece(for length: Int) {
        if !last.isEmpty { earlier.append(last) }
        last = []
        last.reserveCapacity(
            max(length, min(max(byteCount / 2, StorageLimits.leastRunPieceBytes), StorageLimits.mostRunPieceBytes)))
    }

    /// Adds the records of `later`, which come after these.
    package mutating func append(contentsOf later: RecordRun) {
        guard !later.isEmpty else { return }
        guard !isEmpty else {
            self = later
            return
        }
        precondition(later.firstPosition > lastPosition, "records are kept in the order of their positions")
        earlier.append(last)
        earlier += later.earlier
        last = later.last
        count += later.count
        byteCount += later.byteCount
        lastPosition = later.lastPosition
    }

    /// Calls `body` with each record until the end or until it throws.
    package func forEach<Failure: Error>(
        _ body: (_ position: UInt64, _ record: UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        for piece in earlier { try Self.forEach(in: piece, body) }
        try Self.forEach(in: last, body)
    }

    private static func forEach<Failure: Error>(
        in piece: [UInt8], _ body: (UInt64, UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        try piece.readable { (bytes) throws(Failure) in
            var offset = 0
            while offset < bytes.count {
                let (position, end) = head(bytes, at: offset)
                try body(position, UnsafeRawBufferPointer(rebasing: bytes[offset + headBytes..<end]))
                offset = end
            }
        }
    }

    /// Keeps at most `maxCount` records up to `position` and returns the others, which come after them.
    package mutating func split(through position: UInt64, maxCount: Int = .max) -> RecordRun {
        if lastPosition <= position, count <= maxCount { return RecordRun() }
        var kept = RecordRun()
        kept.firstPosition = firstPosition
        var rest = RecordRun()
        for piece in earlier + [last] {
            let end = rest.isEmpty ? Self.end(of: piece, through: position, maxCount: maxCount, &kept) : 0
            if end == piece.count {
                kept.add(piece: piece)
            } else {
                if end > 0 { kept.add(piece: Array(piece[..<end])) }
                if rest.byteCount == 0 { rest.firstPosition = piece.readable { Self.head($0, at: end).position } }
                rest.add(piece: end > 0 ? Array(piece[end...]) : piece)
            }
            if rest.byteCount > 0 { rest.count = count - kept.count }
        }
        rest.lastPosition = lastPosition
        if kept.count == 0 { kept.firstPosition = 0 }
        self = kept
        return rest
    }

    /// Where the records of a piece end that belong to the front, which notes how many they are and the last of them.
    private static func end(
        of piece: [UInt8], through position: UInt64, maxCount: Int, _ front: inout RecordRun
    ) -> Int {
        piece.readable { bytes in
            var end = 0
            while end < bytes.count, front.count < maxCount {
                let (next, nextEnd) = head(bytes, at: end)
                if next > position { break }
                end = nextEnd
                front.count += 1
                front.lastPosition = next
            }
            return end
        }
    }

    private mutating func add(piece: [UInt8]) {
        guard !piece.isEmpty else { return }
        if !last.isEmpty { earlier.append(last) }
        last = piece
        byteCount += piece.count
    }

    private static func head(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> (position: UInt64, end: Int) {
        let position = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        let length = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt32.self))
        return (position, offset + headBytes + Int(length))
    }
}

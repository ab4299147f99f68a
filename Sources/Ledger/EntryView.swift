/// An encoded entry, read in place: what projections need of it, without a single allocation. Valid as long as its bytes.
package struct EntryView {
    /// The entry as it is encoded, without the version before it.
    package private(set) var bytes: UnsafeRawBufferPointer
    /// Of its layout, which stands before its bytes where it is stored by itself.
    package let version: UInt8
    package let kind: EntryKind
    package let sequence: UInt64
    package let at: Instant
    package private(set) var key: StepKey?
    /// Zero where it is about none.
    package private(set) var reservation: StepID = .zero
    package private(set) var after = BalanceAfter(available: 0, held: 0)
    /// Of an opening entry: what the reservation is for, in UTF-8.
    package private(set) var feature = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Of an opening entry: for whom it is, in UTF-8.
    package private(set) var actor = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Of an entry about a reservation: its state afterwards.
    package private(set) var state: ReservationState?
    /// Of an entry about a reservation: what was charged for it up to now, before refunds.
    package private(set) var committed: Int64 = 0
    /// The audit trail has it.
    package private(set) var isAudited = false
    /// What its moves charged, less what they gave back.
    package private(set) var consumed: Int64 = 0

    private var moves = Moves()

    /// All of it.
    package func entry() throws(CodecError) -> Entry {
        var reader = ByteReader(bytes)
        reader.version = version
        let entry = try EntryCodec.entry(&reader)
        try reader.end()
        return entry
    }

    /// It goes by its reservation's own id: see `Entry.isKeyedByReservation`.
    package var isKeyedByReservation: Bool {
        guard let key else { return false }
        return key.id == reservation && key.family == Entry.ownFamily(of: kind)
    }

    /// Calls `body` with each move of credits.
    @inline(__always)
    package func forEachMove(_ body: (Move) -> Void) {
        var reader = ByteReader(moves.bytes)
        for _ in 0..<moves.count {
            // The same bytes were read before.
            guard let move = try? EntryCodec.move(&reader) else { return }
            body(move)
        }
    }
}

extension EntryView {
    private struct Moves {
        var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
        var count = 0
    }

    /// Reads one entry and no further.
    init(_ reader: inout ByteReader) throws(CodecError) {
        let start = reader
        version = reader.version
        let (kind, head) = try EntryCodec.head(&reader)
        self.kind = kind
        sequence = try reader.varint()
        at = Instant(microseconds: try reader.zigZag() &+ EntryCodec.epoch.microseconds)
        bytes = UnsafeRawBufferPointer(start: nil, count: 0)
        if head.contains(.fingerprint) { _ = try reader.fixed() }
        if head.contains(.reservation) { reservation = try reader.id() }
        key = try EntryCodec.key(&reader, head, kind, reservation: reservation)
        if head.contains(.amount) { _ = try reader.varint() }
        try readMoves(&reader)
        after.available = try reader.zigZag()
        after.held = try reader.zigZag()
        if head.contains(.comment) { _ = try reader.textBytes() }
        if head.contains(.actor) { _ = try reader.textBytes() }
        if head.contains(.audit) {
            isAudited = true
            try EntryCodec.skipAudit(&reader)
        }
        switch kind {
        case .reserve, .charge:
            try readTerms(&reader)
            try readProgress(&reader)
        case .commit, .partialCommit, .release, .holdExpiry, .extend, .refund:
            try readProgress(&reader)
            if head.contains(.quantities) { try Self.skipQuantities(&reader) }
        case .grant, .price, .refusal, .grantExpiry, .setting, .subscription, .cycle, .window, .note, .grantRevocation:
            try skipRest(from: start, &reader)
        }
        bytes = start.bytes(upTo: reader)
    }

    /// Rare kinds are decoded whole, which also finds where they end.
    private mutating func skipRest(from start: ByteReader, _ reader: inout ByteReader) throws(CodecError) {
        reader = start
        _ = try EntryCodec.entry(&reader)
    }

    private mutating func readMoves(_ reader: inout ByteReader) throws(CodecError) {
        moves.count = try reader.count(ofAtLeast: 1)
        let start = reader
        for _ in 0..<moves.count { consumed &+= try EntryCodec.move(&reader).consumed }
        moves.bytes = start.bytes(upTo: reader)
    }

    private mutating func readTerms(_ reader: inout ByteReader) throws(CodecError) {
        let head = EntryCodec.TermsHead(rawValue: try reader.byte())
        guard head.isSubset(of: .all) else { throw .invalid(field: .flags) }
        if head.contains(.feature) { feature = try reader.textBytes() }
        if head.contains(.actor) { actor = try reader.textBytes() }
        if head.contains(.comment) { _ = try reader.textBytes() }
        if head.contains(.labels) {
            for _ in 0..<(try reader.count(ofAtLeast: 2)) {
                _ = try reader.textBytes()
                _ = try reader.textBytes()
            }
        }
        if head.contains(.quantities) { try Self.skipQuantities(&reader) }
        if head.contains(.quality) { _ = try reader.byte() }
        if head.contains(.price) { _ = try reader.number() }
    }

    private mutating func readProgress(_ reader: inout ByteReader) throws(CodecError) {
        let bits = try reader.byte()
        state = ReservationState(rawValue: bits & EntryCodec.ProgressHead.state)
        guard state != nil else { throw .invalid(field: .state) }
        let head = EntryCodec.ProgressHead(rawValue: bits & ~EntryCodec.ProgressHead.state)
        _ = try reader.distance(from: at)
        if head.contains(.closed), !head.contains(.closedHere) { _ = try reader.distance(from: at) }
        if head.contains(.refunded) { committed = try reader.zigZag() }
        guard head.contains(.draws) else {
            forEachMove { committed &+= max(0, $0.consumed) }
            return
        }
        for _ in 0..<(try reader.count(ofAtLeast: 1)) { committed &+= try EntryCodec.draw(&reader).consumed }
    }

    private static func skipQuantities(_ reader: inout ByteReader) throws(CodecError) {
        for _ in 0..<(try reader.count(ofAtLeast: 2)) {
            try reader.skipUnit()
            _ = try reader.varint()
        }
    }
}

/// The entries of an encoded record, one after the other.
package struct EntryViews {
    private var reader: ByteReader
    private var left: Int

    package init(ofRecord bytes: UnsafeRawBufferPointer) throws(CodecError) {
        reader = ByteReader(bytes)
        try EntryCodec.checkVersion(&reader)
        left = try reader.count(ofAtLeast: 6)
    }

    /// Nil after the last.
    package mutating func next() throws(CodecError) -> EntryView? {
        guard left > 0 else {
            try reader.end()
            return nil
        }
        left -= 1
        return try EntryView(&reader)
    }
}

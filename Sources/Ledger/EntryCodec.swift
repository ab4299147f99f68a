/// Entries as bytes, in the journal and in the shards. What follows from the rest of an entry is left out.
///
/// Layout of an entry (varints are LEB128, signed numbers zig-zag, texts with their length before them):
/// head (kind in the low five bits, `Head` above), sequence, at (microseconds since `epoch`), then as the head says:
/// fingerprint (8 bytes), reservation (16), key (family, 16), amount; moves; balance afterwards; comment, actor, audit
/// note; the kind's detail. Bytes that are stored are never changed: another layout is another version, and every version
/// is read for ever. Version 3 has numbers for the names of common units in quantities (`UnitNames`), version 2 their texts.
package enum EntryCodec {
    static let version: UInt8 = 3
    private static let oldestVersion: UInt8 = 2
    /// Dates count from here, which makes them one byte shorter: 2025-01-01T00:00:00Z.
    static let epoch = Instant(microseconds: 1_735_689_600_000_000)

    /// Which of an entry's fields follow, and which follow from others.
    struct Head: OptionSet {
        let rawValue: UInt64

        static let reservation = Head(rawValue: 1 << 0)
        /// The key is the reservation's own.
        static let ownKey = Head(rawValue: 1 << 1)
        static let otherKey = Head(rawValue: 1 << 2)
        static let fingerprint = Head(rawValue: 1 << 3)
        static let comment = Head(rawValue: 1 << 4)
        static let actor = Head(rawValue: 1 << 5)
        /// The amount does not follow from the moves.
        static let amount = Head(rawValue: 1 << 6)
        static let quantities = Head(rawValue: 1 << 7)
        static let audit = Head(rawValue: 1 << 8)

        static let all = Head(rawValue: 1 << 9 - 1)
        static let kindBits: UInt64 = 5
    }

    /// Which of a reservation's terms follow.
    struct TermsHead: OptionSet {
        let rawValue: UInt8

        static let feature = TermsHead(rawValue: 1 << 0)
        static let actor = TermsHead(rawValue: 1 << 1)
        static let comment = TermsHead(rawValue: 1 << 2)
        static let labels = TermsHead(rawValue: 1 << 3)
        static let quantities = TermsHead(rawValue: 1 << 4)
        static let quality = TermsHead(rawValue: 1 << 5)
        static let price = TermsHead(rawValue: 1 << 6)

        static let all = TermsHead(rawValue: 1 << 7 - 1)
    }

    /// The state in the low three bits, and what follows of a reservation's progress.
    struct ProgressHead: OptionSet {
        let rawValue: UInt8

        static let state: UInt8 = 0b111
        static let late = ProgressHead(rawValue: 1 << 3)
        static let closed = ProgressHead(rawValue: 1 << 4)
        /// It was closed by this very entry.
        static let closedHere = ProgressHead(rawValue: 1 << 5)
        static let refunded = ProgressHead(rawValue: 1 << 6)
        /// The draws do not follow from the moves.
        static let draws = ProgressHead(rawValue: 1 << 7)
    }

    struct GrantHead: OptionSet {
        let rawValue: UInt8

        /// The id is the key's, the date and the amount are the entry's.
        static let plain = GrantHead(rawValue: 1 << 0)
        static let expires = GrantHead(rawValue: 1 << 1)
        static let comment = GrantHead(rawValue: 1 << 2)
        /// Nobody granted it: its origin follows.
        static let origin = GrantHead(rawValue: 1 << 3)

        static let all = GrantHead(rawValue: 1 << 4 - 1)
    }

    // MARK: - One entry

    package static func encode(_ entry: Entry, into bytes: inout [UInt8]) {
        ByteWriter.append(to: &bytes) { bytes in
            bytes.append(version)
            append(entry, to: &bytes)
        }
    }

    package static func decode(_ bytes: UnsafeRawBufferPointer) throws(CodecError) -> Entry {
        var reader = ByteReader(bytes)
        try checkVersion(&reader)
        let entry = try entry(&reader)
        try reader.end()
        return entry
    }

    // MARK: - The entries of one record

    package static func encodeRecord(_ entries: Few<Entry>, into bytes: inout [UInt8]) {
        ByteWriter.append(to: &bytes) { bytes in
            beginRecord(of: entries.count, &bytes)
            entries.forEach { append($0, to: &bytes) }
        }
    }

    /// What stands before the entries of a record.
    static func beginRecord(of count: Int, _ bytes: inout ByteWriter) {
        bytes.append(version)
        bytes.appendVarint(UInt64(count))
    }

    package static func encodeRecord(_ entries: [Entry], into bytes: inout [UInt8]) {
        encodeRecord(Few(entries), into: &bytes)
    }

    package static func decodeRecord(_ bytes: UnsafeRawBufferPointer) throws(CodecError) -> [Entry] {
        var reader = ByteReader(bytes)
        try checkVersion(&reader)
        let count = try reader.count(ofAtLeast: 6)
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        for _ in 0..<count { entries.append(try entry(&reader)) }
        try reader.end()
        return entries
    }

    static func checkVersion(_ reader: inout ByteReader) throws(CodecError) {
        let found = try reader.byte()
        guard isKnown(found) else { throw .unknownVersion(found) }
        reader.version = found
    }

    /// Of what stands before the encoding of a record, and of each entry that is stored by itself.
    package static func isKnown(_ version: UInt8) -> Bool { (oldestVersion...Self.version).contains(version) }
}

extension Few<Move> {
    /// The amount of an entry of that kind that follows from its moves; a grant's stands in its detail.
    func amount(of kind: EntryKind) -> Int64 {
        switch kind {
        case .reserve: reduce(0) { $0 &+ $1.held }
        case .charge, .commit, .partialCommit: reduce(0) { $0 &+ $1.consumed }
        case .release, .holdExpiry: reduce(0) { $0 &- $1.held }
        case .refund: reduce(0) { $0 &- $1.consumed }
        case .grantExpiry, .grantRevocation: reduce(0) { $0 &+ $1.expired }
        case .grant, .extend, .price, .refusal, .setting, .subscription, .cycle, .window, .note: 0
        }
    }

    /// The draws of a reservation that has nothing but what these moves hold and charge.
    var draws: Few<Draw> {
        var draws: Few<Draw> = []
        forEach { draws.append($0.draw) }
        return draws
    }

    /// They are all that the draws came of.
    func leadTo(_ draws: Few<Draw>) -> Bool {
        count == draws.count && indices.allSatisfy { self[$0].draw == draws[$0] }
    }
}

extension Move {
    /// Of a reservation that began with it.
    fileprivate var draw: Draw { Draw(grant: grant, held: max(0, held), consumed: max(0, consumed)) }
}

extension Entry {
    /// The family of the key that a step of this kind has where it goes by its reservation's id.
    static func ownFamily(of kind: EntryKind) -> StepFamily? {
        switch kind {
        case .reserve, .charge: .opening
        case .commit: .commit
        case .release: .release
        default: nil
        }
    }
}

import Ledger
import Protobuf

/// Which of the metering steps a request asks for.
package enum StepKind: Sendable {
    case reserve, commit, release, refund, extend, charge
}

/// The fields of any step's request, read by hand: texts stay where they lie, and names of the catalog are the catalog's
/// own strings. It takes what the generated messages of `tollgate/v1/metering.proto` take, and refuses what they refuse;
/// `StepRequestTests` holds it against them. Only these requests are so frequent that it pays.
///
/// It is valid only while the request's bytes are.
package struct StepRequest {
    let kind: StepKind
    /// The id of the reservation that the step makes or is about.
    package private(set) var reservationID = BorrowedText()
    /// `commit_id`, `extend_id` or `refund_id`.
    package private(set) var ownID = BorrowedText()
    package private(set) var feature = BorrowedText()
    package private(set) var actor = BorrowedText()
    /// `comment` or `reason`.
    package private(set) var comment = BorrowedText()
    /// Each unit once, in the order of the request; one more than may be at most.
    package private(set) var quantities: [Quantity] = []
    /// Whether some of the units are not the catalog's, whose names were checked when it was read.
    private(set) var hasForeignUnits = false
    /// Each key once; one more than may be at most.
    package private(set) var labels: [Label] = []
    package private(set) var quality: Int32 = 0
    package private(set) var amountMicros: Int64 = 0
    package private(set) var minimumMicros: Int64 = 0
    package private(set) var partial = false
    package private(set) var ttl: (seconds: Int64, nanos: Int32)?

    init(_ kind: StepKind) { self.kind = kind }

    /// A request of its own in all of the bytes.
    package init(_ kind: StepKind, _ bytes: UnsafeRawBufferPointer, units: NameTable<String>) throws(WireError) {
        self.kind = kind
        var reader = try WireReader(bytes)
        try decode(from: &reader, units: units)
    }

    /// Merges the reader's innermost message into this, as a message's `decode(from:)` does.
    mutating func decode(from reader: inout WireReader, units: NameTable<String>) throws(WireError) {
        switch kind {
        case .reserve, .charge: try decodeOpening(from: &reader, units)
        case .commit: try decodeCommit(from: &reader, units)
        case .release: try decodeRelease(from: &reader)
        case .refund: try decodeRefund(from: &reader)
        case .extend: try decodeExtend(from: &reader)
        }
    }

    /// A `ReserveRequest` or a `ChargeRequest`, which has all of its fields but the last.
    private mutating func decodeOpening(from reader: inout WireReader, _ units: NameTable<String>) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: reservationID = BorrowedText(try reader.utf8())
            case 18: feature = BorrowedText(try reader.utf8())
            case 26: try readQuantity(from: &reader, units)
            case 32: quality = try reader.int32()
            case 40: amountMicros = try reader.int64()
            case 50: actor = BorrowedText(try reader.utf8())
            case 58: try readTTL(from: &reader)
            case 66: comment = BorrowedText(try reader.utf8())
            case 74: try readLabel(from: &reader)
            case 80 where kind == .reserve: minimumMicros = try reader.int64()
            default: try reader.skip(tag)
            }
        }
    }

    private mutating func decodeCommit(from reader: inout WireReader, _ units: NameTable<String>) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: reservationID = BorrowedText(try reader.utf8())
            case 18: try readQuantity(from: &reader, units)
            case 24: amountMicros = try reader.int64()
            case 32: partial = try reader.bool()
            case 42: comment = BorrowedText(try reader.utf8())
            case 50: ownID = BorrowedText(try reader.utf8())
            default: try reader.skip(tag)
            }
        }
    }

    private mutating func decodeRelease(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: reservationID = BorrowedText(try reader.utf8())
            case 18: comment = BorrowedText(try reader.utf8())
            default: try reader.skip(tag)
            }
        }
    }

    private mutating func decodeRefund(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: ownID = BorrowedText(try reader.utf8())
            case 18: reservationID = BorrowedText(try reader.utf8())
            case 24: amountMicros = try reader.int64()
            case 34: comment = BorrowedText(try reader.utf8())
            default: try reader.skip(tag)
            }
        }
    }

    private mutating func decodeExtend(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: reservationID = BorrowedText(try reader.utf8())
            case 18: try readTTL(from: &reader)
            case 26: ownID = BorrowedText(try reader.utf8())
            default: try reader.skip(tag)
            }
        }
    }

    // MARK: - Fields of messages

    /// An entry of `map<string, int64> quantities`. The last entry of a unit counts.
    private mutating func readQuantity(
        from reader: inout WireReader, _ units: NameTable<String>
    ) throws(WireError) {
        var name = BorrowedText()
        var count: Int64 = 0
        try reader.nested { (entry) throws(WireError) in
            while let tag = try entry.nextTag() {
                switch tag {
                case 10: name = BorrowedText(try entry.utf8())
                case 16: count = try entry.int64()
                default: try entry.skip(tag)
                }
            }
        }
        // A request with more than may be is refused: the rest is read, but not kept.
        guard quantities.count <= Limits.maxQuantities else { return }
        let known = units[name]
        if known == nil { hasForeignUnits = true }
        let unit = known ?? name.string
        if let index = quantities.firstIndex(where: { $0.unit == unit }) {
            quantities[index].count = count
        } else {
            if quantities.isEmpty { quantities.reserveCapacity(2) }
            quantities.append(Quantity(unit: unit, count: count))
        }
    }

    /// An entry of `map<string, string> labels`. The last entry of a key counts.
    private mutating func readLabel(from reader: inout WireReader) throws(WireError) {
        var name = BorrowedText()
        var text = BorrowedText()
        try reader.nested { (entry) throws(WireError) in
            while let tag = try entry.nextTag() {
                switch tag {
                case 10: name = BorrowedText(try entry.utf8())
                case 18: text = BorrowedText(try entry.utf8())
                default: try entry.skip(tag)
                }
            }
        }
        guard labels.count <= Limits.maxLabels else { return }
        let (key, value) = (name.string, text.string)
        if let index = labels.firstIndex(where: { $0.key == key }) {
            labels[index].value = value
        } else {
            labels.append(Label(key: key, value: value))
        }
    }

    private mutating func readTTL(from reader: inout WireReader) throws(WireError) {
        var ttl = self.ttl ?? (0, 0)
        try reader.nested { (duration) throws(WireError) in
            while let tag = try duration.nextTag() {
                switch tag {
                case 8: ttl.seconds = try duration.int64()
                case 16: ttl.nanos = try duration.int32()
                default: try duration.skip(tag)
                }
            }
        }
        self.ttl = ttl
    }
}

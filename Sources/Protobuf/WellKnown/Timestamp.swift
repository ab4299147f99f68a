/// A point in time: `google.protobuf.Timestamp`.
public struct Timestamp: Message, Hashable {
    /// Whole seconds since 1970-01-01T00:00:00Z.
    public var seconds: Int64 = 0
    /// What comes on top, 0 to 999,999,999.
    public var nanos: Int32 = 0
    public var unknownFields = UnknownFields()
    public static var messageName: String { "google.protobuf.Timestamp" }

    /// The beginning of 1970.
    public init() {}

    /// A point in time from seconds and nanoseconds.
    public init(seconds: Int64, nanos: Int32 = 0) {
        self.seconds = seconds
        self.nanos = nanos
    }

    /// A point in time from nanoseconds since the beginning of 1970.
    public init(nanosecondsSinceEpoch: Int64) {
        let nanos = nanosecondsSinceEpoch.quotientAndRemainder(dividingBy: 1_000_000_000)
        let borrows = nanos.remainder < 0
        seconds = nanos.quotient - (borrows ? 1 : 0)
        self.nanos = Int32(nanos.remainder + (borrows ? 1_000_000_000 : 0))
    }

    /// Nanoseconds since the beginning of 1970; nil where they do not fit or the message is not valid.
    public var nanosecondsSinceEpoch: Int64? {
        guard isValid else { return nil }
        // One second is lent so that times just above the lowest one do not overflow halfway.
        let lent = seconds < 0 && nanos > 0
        let whole = (lent ? seconds + 1 : seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let sum = whole.partialValue.addingReportingOverflow(Int64(nanos) - (lent ? 1_000_000_000 : 0))
        return whole.overflow || sum.overflow ? nil : sum.partialValue
    }

    /// Whether this lies in the years 1 to 9999, with nanoseconds in their range.
    public var isValid: Bool {
        (-62_135_596_800...253_402_300_799).contains(seconds) && (0...999_999_999).contains(nanos)
    }

    /// RFC 3339 in UTC with as many digits of the fraction as needed (none, 3, 6 or 9); nil where the message is not valid.
    public var rfc3339: String? {
        guard isValid else { return nil }
        let day = Int64((Double(seconds) / 86_400).rounded(.down))
        let second = seconds - day * 86_400
        let date = CivilDate(daysSinceEpoch: day)
        return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T"
            + "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
            + fraction(nanos) + "Z"
    }

    public mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 8: seconds = try reader.int64()
            case 16: nanos = try reader.int32()
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    public func encode(to writer: inout WireWriter) {
        if seconds != 0 { writer.write(Int64Codec.self, seconds, tag: 8) }
        if nanos != 0 { writer.write(Int32Codec.self, nanos, tag: 16) }
        writer.writeUnknown(unknownFields)
    }

    /// RFC 3339, or `null` where the message is not valid.
    public func encodeJSON(to json: inout JSONWriter) {
        if let text = rfc3339 { json.string(text) } else { json.null() }
    }
}

/// A date of the Gregorian calendar, reckoned back before its time as RFC 3339 does.
private struct CivilDate {
    let year: Int64
    let month: Int64
    let day: Int64

    /// Counts in eras of 400 years that begin on 1 March, so that a leap day is the last of its year.
    init(daysSinceEpoch: Int64) {
        let days = daysSinceEpoch + 719_468
        let era = (days >= 0 ? days : days - 146_096) / 146_097
        let dayOfEra = days - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }
}

/// A number with zeros before it.
private func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

/// The fraction of a second as text: empty, or a point and 3, 6 or 9 digits.
func fraction(_ nanos: Int32) -> String {
    if nanos == 0 { return "" }
    if nanos % 1_000_000 == 0 { return "." + padded(Int64(nanos / 1_000_000), 3) }
    if nanos % 1000 == 0 { return "." + padded(Int64(nanos / 1000), 6) }
    return "." + padded(Int64(nanos), 9)
}

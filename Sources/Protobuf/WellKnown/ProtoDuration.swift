/// A span of time: `google.protobuf.Duration`. Called so because `Duration` is Swift's own.
public struct ProtoDuration: Message, Hashable {
    /// Whole seconds, of either sign.
    public var seconds: Int64 = 0
    /// What comes on top, of the same sign, at most 999,999,999 either way.
    public var nanos: Int32 = 0
    public var unknownFields = UnknownFields()
    public static var messageName: String { "google.protobuf.Duration" }

    /// No time at all.
    public init() {}

    /// A span from seconds and nanoseconds of the same sign.
    public init(seconds: Int64, nanos: Int32 = 0) {
        self.seconds = seconds
        self.nanos = nanos
    }

    /// Swift's span as a message; what is below a nanosecond is cut off.
    public init(_ duration: Duration) {
        let parts = duration.components
        seconds = parts.seconds
        nanos = Int32(parts.attoseconds / 1_000_000_000)
    }

    /// The span as Swift has it.
    public var duration: Duration {
        Duration(secondsComponent: seconds, attosecondsComponent: Int64(nanos) * 1_000_000_000)
    }

    /// The span in nanoseconds; nil where they do not fit or the message is not valid.
    public var nanoseconds: Int64? {
        guard isValid else { return nil }
        let whole = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let sum = whole.partialValue.addingReportingOverflow(Int64(nanos))
        return whole.overflow || sum.overflow ? nil : sum.partialValue
    }

    /// Whether this is within 10,000 years and both parts have the same sign.
    public var isValid: Bool {
        (-315_576_000_000...315_576_000_000).contains(seconds) && (-999_999_999...999_999_999).contains(nanos)
            && (seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0))
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

    /// Seconds with a fraction and an `s`, such as `1.500s`, or `null` where the message is not valid.
    public func encodeJSON(to json: inout JSONWriter) {
        guard isValid else { return json.null() }
        let sign = seconds < 0 || nanos < 0 ? "-" : ""
        json.string(sign + String(seconds.magnitude) + fraction(abs(nanos)) + "s")
    }
}

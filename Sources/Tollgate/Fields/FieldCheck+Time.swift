import Ledger

extension FieldCheck {
    /// The range of `google.protobuf.Timestamp`: the years 1 to 9999.
    private static let timestampSeconds: ClosedRange<Int64> = -62_135_596_800...253_402_300_799
    /// The range of `google.protobuf.Duration`: about 10,000 years.
    private static let durationSeconds: ClosedRange<Int64> = -315_576_000_000...315_576_000_000

    /// The parts of a `google.protobuf.Timestamp` as an instant. What is finer than a microsecond is cut off.
    package static func instant(
        seconds: Int64, nanos: Int32, _ field: StaticString
    ) throws(InvalidField) -> Instant {
        guard timestampSeconds.contains(seconds), (0..<1_000_000_000).contains(nanos) else {
            throw InvalidField("\(field)", "is not a moment of the years 1 to 9999")
        }
        return Instant(microseconds: seconds * 1_000_000 + Int64(nanos / 1_000))
    }

    /// The parts of a `google.protobuf.Duration` in microseconds, whose sign may be either. What is finer is cut off.
    package static func microseconds(
        seconds: Int64, nanos: Int32, _ field: StaticString
    ) throws(InvalidField) -> Int64 {
        let inRange = durationSeconds.contains(seconds) && (-999_999_999...999_999_999).contains(nanos)
        let signsAgree = seconds == 0 || nanos == 0 || (seconds < 0) == (nanos < 0)
        guard inRange, signsAgree else { throw InvalidField("\(field)", "is not a valid duration") }
        return seconds * 1_000_000 + Int64(nanos / 1_000)
    }

    /// How long a hold lasts: 1 ms to 7 days, in microseconds.
    package static func ttl(
        seconds: Int64, nanos: Int32, _ field: StaticString = "ttl"
    ) throws(InvalidField) -> Int64 {
        let ttl = try microseconds(seconds: seconds, nanos: nanos, field)
        guard (1_000...LedgerRules.maxTTLMicroseconds).contains(ttl) else {
            throw InvalidField("\(field)", "must be from 1 ms to 7 days")
        }
        return ttl
    }

    /// A range of time whose bounds may each be absent.
    package static func range(start: Instant?, end: Instant?) throws(InvalidField) {
        if let start, let end, end < start {
            throw InvalidField("end_time", "must not be earlier than start_time")
        }
    }
}

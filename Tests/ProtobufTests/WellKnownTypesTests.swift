import Protobuf
import Testing

/// Times, spans and packed messages.
struct WellKnownTypesTests {
    static let times: [(seconds: Int64, nanos: Int32, text: String?)] = [
        (0, 0, "1970-01-01T00:00:00Z"),
        (-1, 0, "1969-12-31T23:59:59Z"),
        (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
        (951_782_400, 500_000_000, "2000-02-29T00:00:00.500Z"),
        (4_107_542_400, 1_000, "2100-03-01T00:00:00.000001Z"),
        (253_402_300_799, 0, "9999-12-31T23:59:59Z"),
        (-62_135_596_800, 0, "0001-01-01T00:00:00Z"),
        (253_402_300_800, 0, nil),
        (-62_135_596_801, 0, nil),
        (0, -1, nil),
        (0, 1_000_000_000, nil),
        (.min, .min, nil),
    ]

    @Test(arguments: times.indices)
    func timesAreShownAsRFC3339(_ index: Int) {
        let (seconds, nanos, text) = Self.times[index]
        let time = Timestamp(seconds: seconds, nanos: nanos)
        #expect(time.rfc3339 == text)
        #expect(time.jsonString() == text.map { "\"\($0)\"" } ?? "null")
    }

    @Test(arguments: [0, 1, -1, 1_700_000_000_123_456_789, -1_000_000_000, -999_999_999, Int64.max, Int64.min])
    func nanosecondsComeBack(_ nanoseconds: Int64) {
        let time = Timestamp(nanosecondsSinceEpoch: nanoseconds)
        #expect(time.isValid)
        #expect(time.nanosecondsSinceEpoch == nanoseconds)
    }

    @Test func timesBeyondInt64AreSaidToBe() {
        #expect(Timestamp(seconds: 9_300_000_000).nanosecondsSinceEpoch == nil)
        #expect(ProtoDuration(seconds: 9_300_000_000).nanoseconds == nil)
    }

    static let spans: [(span: ProtoDuration, text: String)] = [
        (ProtoDuration(), "\"0s\""),
        (ProtoDuration(.milliseconds(1500)), "\"1.500s\""),
        (ProtoDuration(.milliseconds(-1500)), "\"-1.500s\""),
        (ProtoDuration(.microseconds(-1)), "\"-0.000001s\""),
        (ProtoDuration(seconds: 315_576_000_000, nanos: 999_999_999), "\"315576000000.999999999s\""),
        (ProtoDuration(seconds: 1, nanos: -1), "null"),
        (ProtoDuration(seconds: 315_576_000_001), "null"),
        (ProtoDuration(seconds: .min, nanos: .min), "null"),
    ]

    @Test(arguments: spans.indices)
    func spansAreShownInSeconds(_ index: Int) {
        #expect(Self.spans[index].span.jsonString() == Self.spans[index].text)
    }

    @Test func spansComeBackAsSwiftHasThem() {
        #expect(ProtoDuration(.seconds(900)).duration == .seconds(900))
        #expect(ProtoDuration(.milliseconds(-1500)).nanoseconds == -1_500_000_000)
        #expect(ProtoDuration(.nanoseconds(7)).duration == .nanoseconds(7))
    }

    @Test func aMessageIsPackedUnderItsName() throws {
        let packed = ProtoAny(packing: Timestamp(seconds: 5))
        #expect(packed.typeURL == "type.googleapis.com/google.protobuf.Timestamp")
        #expect(packed.packedMessageName == "google.protobuf.Timestamp")
        #expect(try packed.unpack(Timestamp.self) == Timestamp(seconds: 5))
        #expect(try packed.unpack(ProtoDuration.self) == nil)
    }
}

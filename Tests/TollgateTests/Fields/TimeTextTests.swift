import Protobuf
import SeededRandom
import Testing

@testable import Tollgate

/// Moments are read as they are meant, or not at all.
@Suite struct TimeTextTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("1970-01-01 00:00:00", 0), ("2023-11-16 18:15:46.6805900", 1_700_158_546_680_590),
        ("2024-02-29T23:59:59.999999999Z", 1_709_251_199_999_999), ("2000-03-01T00:00:00+01:30", 951_863_400_000_000),
        ("1969-12-31T23:59:59.5Z", -500_000), ("9999-12-31T23:59:59Z", 253_402_300_799_000_000),
        ("2023-02-29T00:00:00Z", nil), ("2023-13-01T00:00:00Z", nil), ("2023-00-10T00:00:00Z", nil),
        ("2023-01-00T00:00:00Z", nil), ("2023-01-01T24:00:00Z", nil), ("2023-01-01T00:60:00Z", nil),
        ("2023-01-01T00:00:60Z", nil), ("2023-01-01", nil), ("2023-01-01T00:00:00.Z", nil), ("", nil),
        ("2023-01-01T00:00:00Zx", nil), ("2023-01-01T00:00:00+24:00", nil), ("23-01-01T00:00:00Z", nil),
    ])
    func momentsAreReadToTheMicrosecond(text: String, expected: Int64?) {
        #expect(TimeText.microseconds(text) == expected)
    }

    @Test func aZoneCanBeRequired() {
        #expect(TimeText.microseconds("1970-01-01T00:00:01", requiresZone: true) == nil)
        #expect(TimeText.microseconds("1970-01-01T00:00:01Z", requiresZone: true) == 1_000_000)
    }

    /// Reading undoes writing, over all eras of the calendar.
    @Test func momentsAreReadAsTheyAreWritten() {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SeededRandom(seed: seed)
        for _ in 0..<2_000 {
            let seconds = Int64.random(in: -62_135_596_800...253_402_300_799, using: &generator)
            let text = Timestamp(seconds: seconds).rfc3339 ?? ""
            #expect(TimeText.microseconds(text) == seconds * 1_000_000, "seed \(seed): \(text)")
        }
    }
}

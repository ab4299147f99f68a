import Testing

@testable import TollgateCommand

/// Amounts are read as they are meant, or not at all.
@Suite struct ValueTests {
    @Test(arguments: [
        ("1", 1_000_000), ("1000", 1_000_000_000), ("1,000", 1_000_000_000), ("0.000001", 1), ("1.5", 1_500_000),
        ("12,345.678901", 12_345_678_901), ("9223372036854.775807", Int64.max), ("007", 7_000_000),
        ("9223372036854.775808", nil), ("9223372036855", nil), ("0", nil), ("0.000000", nil), ("", nil), (".5", nil),
        ("1.", nil), ("1.1234567", nil), ("-1", nil), ("+1", nil), ("1e3", nil), (",1", nil), ("1 000", nil),
        ("1.5.5", nil), ("x", nil), ("99999999999999999999", nil), ("١", nil),
    ])
    func creditsAreReadExactly(text: String, expected: Int64?) {
        #expect(Amount.micros(credits: text) == expected)
    }

    @Test(arguments: [
        (0, "0"), (1, "0.000001"), (1_000_000, "1"), (1_500_000, "1.5"), (42_805_195_000, "42,805.195"),
        (-500_000, "-0.5"), (Int64.max, "9,223,372,036,854.775807"), (Int64.min, "-9,223,372,036,854.775808"),
    ])
    func creditsAreWrittenWithoutUselessDecimals(micros: Int64, expected: String) {
        #expect(Amount.credits(micros: micros) == expected)
    }
}

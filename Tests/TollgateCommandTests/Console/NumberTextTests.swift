import Testing

@testable import TollgateCommand

@Suite struct NumberTextTests {
    @Test(arguments: [
        (0, "0 ns"), (850, "850 ns"), (1_000, "1.00 µs"), (92_440, "92.4 µs"), (1_310_000, "1.31 ms"),
        (120_000_000, "120.0 ms"), (12_000_000_000, "12.0 s"), (7_200_000_000_000, "7,200.0 s"),
    ])
    func durationsAreWrittenWithTheirUnit(ns: Int64, expected: String) {
        #expect(durationText(ns: ns) == expected)
    }
}

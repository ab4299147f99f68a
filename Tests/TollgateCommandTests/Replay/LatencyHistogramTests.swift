import Testing

@testable import TollgateCommand

/// Quantiles are right to a sixteenth, in a fixed space.
@Suite struct LatencyHistogramTests {
    @Test func quantilesAreRightToASixteenth() {
        let seed = UInt64.random(in: .min ... .max)
        var generator = SplitMix(state: seed)
        for _ in 0..<20 {
            var histogram = LatencyHistogram()
            var all: [Int64] = []
            for _ in 0..<1_000 {
                let duration = Int64.random(
                    in: 0..<(1 << Int64.random(in: 1...62, using: &generator)), using: &generator)
                histogram.record(duration)
                all.append(duration)
            }
            all.sort()
            for part in [0.001, 0.5, 0.9, 0.99, 1] {
                let exact = all[Int((part * 1_000).rounded(.up)) - 1]
                let read = histogram.quantileNs(part)
                #expect(read >= exact && read - exact <= exact / 16, "seed \(seed), \(part)")
            }
            #expect(histogram.maxNs == all.last)
            #expect(histogram.quantileNs(1) == all.last)
        }
    }

    @Test func theEdgesAreCounted() {
        var histogram = LatencyHistogram()
        #expect(histogram.quantileNs(0.5) == 0)
        for duration in [Int64.max, 0, -5, 15, 16, 17] { histogram.record(duration) }
        #expect(histogram.count == 6)
        #expect(histogram.quantileNs(1) == Int64.max)
        #expect(histogram.quantileNs(0.1) == 0)
    }

    @Test(arguments: [
        (0, "0 ns"), (850, "850 ns"), (1_000, "1.00 µs"), (92_440, "92.4 µs"), (1_310_000, "1.31 ms"),
        (120_000_000, "120.0 ms"), (12_000_000_000, "12.0 s"), (7_200_000_000_000, "7,200.0 s"),
    ])
    func durationsAreWrittenWithTheirUnit(ns: Int64, expected: String) {
        #expect(durationText(ns: ns) == expected)
    }
}

import SeededRandom
import Testing

@testable import LoadGenerator

@Suite struct LatencyHistogramTests {
    @Test("a quantile is off by less than 1 %, whatever was counted", arguments: [1, 2, 3] as [UInt64])
    func quantiles(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var histogram = LatencyHistogram()
        var all: [Int64] = []
        for _ in 0..<5_000 {
            let duration = Int64(random.next() >> UInt64.random(in: 20...60, using: &random))
            histogram.record(duration)
            all.append(duration)
        }
        all.sort()
        for part in [0.001, 0.5, 0.9, 0.99, 0.999, 1] {
            let exact = all[max(0, Int((part * Double(all.count)).rounded(.up)) - 1)]
            let found = histogram.quantileNs(part)
            #expect(found >= exact && Double(found - exact) <= Double(exact) * 0.01, "seed \(seed), part \(part)")
        }
        #expect(histogram.count == UInt64(all.count))
        #expect(histogram.maxNs == all.last)
    }

    @Test("nothing counted is 0, and a negative duration counts as 0")
    func edges() {
        var histogram = LatencyHistogram()
        #expect(histogram.quantileNs(0.5) == 0)
        histogram.record(-5)
        #expect(histogram.quantileNs(1) == 0)
        #expect(histogram.count == 1)
        for duration in [Int64.max, 127, 128, 129] { histogram.record(duration) }
        #expect(histogram.quantileNs(0.2) == 0 && histogram.quantileNs(0.4) == 127)
        #expect(histogram.quantileNs(1) == .max)
    }
}

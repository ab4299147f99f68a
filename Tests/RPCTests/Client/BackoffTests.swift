import Testing

@testable import RPC

@Suite struct BackoffTests {
    @Test func waitsGrowByTheFactorUpToTheMaximumWithinTheJitter() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(state: seed)
        var backoff = Backoff(BackoffPolicy())
        var expected = 1.0
        for _ in 0..<40 {
            let wait = backoff.failed(using: &random) / .seconds(1)
            #expect(wait >= expected * 0.799 && wait <= expected * 1.201, "seed \(seed)")
            expected = min(expected * 1.6, 120)
        }
        #expect(expected == 120)
    }

    @Test func aSuccessBeginsANewSeries() {
        var random = SystemRandomNumberGenerator()
        var backoff = Backoff(BackoffPolicy(jitter: 0))
        #expect(backoff.failed(using: &random) == .seconds(1))
        #expect(backoff.failed(using: &random) > .seconds(1.5))
        backoff.succeeded()
        #expect(backoff.failed(using: &random) == .seconds(1))
    }
}

/// A small seeded generator (SplitMix64), so that a failure can be had again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

import SeededRandom
import Testing

@testable import RPC

@Suite struct BackoffTests {
    @Test func waitsGrowByTheFactorUpToTheMaximumWithinTheJitter() {
        let seed = freshSeed()
        var random = SeededRandom(seed: seed)
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

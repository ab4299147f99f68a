import Foundation
import Ledger
import SeededRandom
import Testing

/// Random steps on many tenants against the naive model, with replays, look-ups, forgetting and restarts in between.
/// `TOLLGATE_SEED=<seed>` runs the one that failed.
@Suite struct SimulationTests {
    static let seeds: [UInt64] = {
        if let text = ProcessInfo.processInfo.environment["TOLLGATE_SEED"], let seed = UInt64(text) { return [seed] }
        var generator = SystemRandomNumberGenerator()
        // Some that every run has in common, and some that none had before.
        return (1...6).map { UInt64($0) } + (0..<6).map { _ in generator.next() }
    }()

    @Test(arguments: seeds)
    func `the book agrees with the naive model after every step`(seed: UInt64) {
        var generator = SeededRandom(seed: seed)
        let tenants = (0..<4).map { _ in SimulatedTenant(seed: generator.next()) }
        for step in 0..<1_200 {
            do {
                try tenants[Int(generator.next() % 4)].round()
            } catch {
                Issue.record("seed \(seed), step \(step): \(error)")
                return
            }
        }
    }

    @Test func `the simulation meets everything that it is for`() throws {
        var seen: [String: Int] = [:]
        for seed in UInt64(100)..<112 {
            let tenant = SimulatedTenant(seed: seed)
            for _ in 0..<400 { try tenant.round() }
            seen.merge(tenant.seen, uniquingKeysWith: +)
        }
        for what in [
            "grant", "reserve", "charge", "commit", "late commit", "partialCommit", "release", "refund", "extend",
            "holdExpiry", "grantExpiry", "insufficientCredits", "reservationNotFound", "reservationClosed",
            "refundExceedsCommitted", "price", "replayed answer", "replayed refusal", "id reused", "recall", "flush",
            "restart",
        ] {
            #expect(seen[what, default: 0] > 0, "never met: \(what)")
        }
    }
}

@testable import LoadGenerator

/// A small seeded generator (SplitMix64), so that a failure can be run again.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// A plan for a server of this process: small, without a warm-up, and short.
func shortPlan(
    _ work: LoadPlan.Work, port: Int, connections: Int = 2, inFlight: Int = 4, tenants: Int = 3,
    measureNs: Int64 = 50_000_000
) -> LoadPlan {
    var plan = LoadPlan(
        host: "127.0.0.1", port: UInt16(port), key: "tg_test", work: work, connections: connections,
        inFlight: inFlight, tenants: tenants, measureNs: measureNs)
    plan.warmupNs = 0
    plan.batchSize = 5
    return plan
}

/// What a plan that cannot be carried out throws; nil where it can be.
func failure(of plan: LoadPlan) -> LoadError? {
    do throws(LoadError) {
        _ = try plan.run()
        return nil
    } catch {
        return error
    }
}

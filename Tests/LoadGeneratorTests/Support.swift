@testable import LoadGenerator

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

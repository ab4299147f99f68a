/// What a run found out.
package struct LoadReport: Sendable {
    package let plan: LoadPlan
    /// How long was measured, exactly.
    package let measuredNs: Int64
    /// Calls that were answered as they should within that time (on Meter streams the steps), and the steps that they did.
    package let calls: Int
    package let steps: Int
    /// Steps of the whole run, with its warm-up and its end: what a server did for it.
    package let stepsInAll: Int
    /// Calls that failed, or whose answer was wrong, in the whole run with its warm-up and its end.
    package let errors: Int
    /// What was wrong with the first of them.
    package let firstError: String?
    /// From the beginning of a call to its end.
    package let latencies: LatencyHistogram
    /// Of a run with a deadline: calls that the server refused, that were answered after it, and that could not be begun before
    /// it, since too many were in flight.
    package var refused = 0
    package var late = 0
    package var unsent = 0
    /// What the modest tenant saw, where there is one.
    package var modest: Modest?

    /// What one tenant saw beside all others.
    package struct Modest: Sendable {
        package let calls: Int
        package let refused: Int
        package let late: Int
        package let latencies: LatencyHistogram
    }

    /// What the generator's process spent within the measured time, user and system.
    package let cpuNs: Int64

    package var stepsPerSecond: Double {
        measuredNs > 0 ? Double(steps) * 1e9 / Double(measuredNs) : 0
    }

    /// The generator's own CPU for one step, in microseconds.
    package var cpuUsPerStep: Double { steps > 0 ? Double(cpuNs) / 1e3 / Double(steps) : 0 }
}

extension LoadReport {
    init(_ plan: LoadPlan, _ tally: Tally, modest: Tally, measuredNs: Int64, cpuNs: Int64) {
        self.init(
            plan: plan, measuredNs: measuredNs, calls: tally.calls, steps: tally.calls * plan.stepsPerCall,
            stepsInAll: (tally.allCalls + modest.allCalls) * plan.stepsPerCall, errors: tally.errors + modest.errors,
            firstError: tally.firstError ?? modest.firstError, latencies: tally.latencies, refused: tally.refused,
            late: tally.late, unsent: tally.unsent,
            modest: plan.modestPerSecond.map { _ in
                Modest(
                    calls: modest.calls, refused: modest.refused, late: modest.late + modest.unsent,
                    latencies: modest.latencies)
            }, cpuNs: cpuNs)
    }
}

/// Why a run cannot be made. What goes wrong with single calls is counted in the report instead.
package enum LoadError: Error, Equatable {
    /// The host has no address.
    case unresolvable(host: String, reason: String)
    /// The server could not be reached.
    case unreachable(address: String, reason: String)
    /// The plan asks for more in flight than memory is set aside for.
    case tooMuchInFlight(steps: Int, allowed: Int)
    /// The system refused something.
    case system(call: String, errno: Int32)
}

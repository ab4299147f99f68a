/// What a run of the generator does: which calls, how many at once, for how long.
package struct LoadPlan: Sendable {
    /// What the calls of a run are.
    package enum Work: String, CaseIterable, Sendable {
        /// Reserve, then Commit of it, and so on.
        case steps
        /// GetBalance.
        case balance
        /// A bare echo of HTTP/2, with gRPC's headers and a body as long as that of a Reserve.
        case echo
        /// Batch: one of reserves, then one of their commits, and so on.
        case batch
        /// Reserve and Commit on one Meter stream for each connection.
        case meter
    }

    package let host: String
    package let port: UInt16
    /// The API key; may be empty where the work is `echo`.
    package let key: String
    package let work: Work
    /// Connections of HTTP/2.
    package let connections: Int
    /// Calls in flight on each of them; on a Meter stream steps.
    package let inFlight: Int
    /// Tenants that take their turns, those that `BenchTenants` names first.
    package let tenants: Int
    /// How long is measured, and how long the same is done before, in nanoseconds.
    package let measureNs: Int64
    package var warmupNs: Int64 = 1_000_000_000
    /// Begins so many steps per second, however fast answers come; nil for the next call of a lane as soon as its last is
    /// answered.
    package var stepsPerSecond: Int?
    /// Steps of one Batch.
    package var batchSize = 1_000
    /// How long callers wait, in nanoseconds, which each call tells too. A run that has it measures overload: what a server
    /// refuses, answers too late or cannot be told of in time is counted, and is no error. Unary steps only.
    package var deadlineNs: Int64?
    /// Beside all that, so many steps per second for a tenant of their own, the one after `tenants`.
    package var modestPerSecond: Int?
    /// Whether these go over a connection of their own; else over the first.
    package var modestHasConnection = false

    package init(
        host: String, port: UInt16, key: String, work: Work, connections: Int, inFlight: Int, tenants: Int,
        measureNs: Int64
    ) {
        self.host = host
        self.port = port
        self.key = key
        self.work = work
        self.connections = connections
        self.inFlight = inFlight
        self.tenants = tenants
        self.measureNs = measureNs
    }

    /// Calls, or steps on streams, that may be in flight over all connections.
    var lanes: Int { connections * inFlight }

    /// Lanes of the modest tenant, after all others.
    var modestLanes: Int { modestPerSecond == nil ? 0 : Limits.modestLanes }

    /// Steps that one call does.
    var stepsPerCall: Int { work == .batch ? batchSize : 1 }
}

/// The tenants that benchmarks use.
package enum BenchTenants {
    /// How long each name is, in bytes.
    static let nameByteCount = 12

    /// The name of a tenant by its number: `bench-000000` is the first.
    package static func name(_ number: Int) -> String {
        let digits = String(number)
        return "bench-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }
}

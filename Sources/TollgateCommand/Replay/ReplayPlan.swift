/// How a trace is replayed.
struct ReplayPlan: Sendable {
    /// The calls, in the order in which they are made.
    var rows: [TraceRow]
    /// Gives each row's reservation its id.
    var identity: TraceIdentity
    /// How many rows are metered at the same time.
    var concurrency: Int
    /// How much faster than in the trace; nil for as fast as it can.
    var pace: Double?
    /// How long a step whose answer did not come is sent again, in nanoseconds.
    var retryNs: Int64
    /// After so long without any answer the server is given up, in nanoseconds.
    var silenceNs: Int64

    /// When a row is due, in nanoseconds after the start.
    func dueNs(ofRow index: Int) -> Int64 {
        guard let pace else { return 0 }
        let offset = rows[index].timeMicroseconds - rows[0].timeMicroseconds
        return Int64(max(0, Double(offset) * 1_000 / pace))
    }
}

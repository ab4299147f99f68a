import Ledger
import RPC

/// The two steps that a call of a trace is metered with.
enum ReplayStep: Sendable {
    /// Before the call: its context and the most that may be generated.
    case reserve
    /// After it: what was generated.
    case commit
}

/// What a replay reads of an answer.
struct ReplayAnswer: Sendable {
    /// Whether the step had been done before.
    var replayed: Bool
    /// What a commit charged; 0 for a reserve.
    var chargedMicros: Int64
}

/// Sends the steps of a replay; a test stands in for the server with its own.
protocol ReplayCaller: AnyObject, Sendable {
    /// Sends a step and calls `completion` once, on any thread, where it may send the next one.
    func start(
        _ step: ReplayStep, id: StepID, row: TraceRow,
        completion: @escaping @Sendable (Result<ReplayAnswer, RPCError>) -> Void)
}

import Protobuf
import RPC
import Synchronization
import TollgateSchema

/// Gathers the answers of a batch and gives them together when the last is there.
final class BatchResults: Sendable {
    private struct State {
        var results: [TollgateSchema.StepResult]
        var missing: Int
    }

    private let call: DirectCall<BatchResponse>
    private let state: Mutex<State>

    init(count: Int, call: DirectCall<BatchResponse>) {
        self.call = call
        state = Mutex(State(results: Array(repeating: TollgateSchema.StepResult(), count: count), missing: count))
    }

    /// Each place is filled once, from any thread.
    func set(_ index: Int, _ result: TollgateSchema.StepResult) {
        let whole: [TollgateSchema.StepResult]? = state.withLock { state in
            state.results[index] = result
            state.missing -= 1
            return state.missing == 0 ? state.results : nil
        }
        if let whole { call.respond(.with { $0.results = whole }) }
    }
}

/// The steps of one Meter stream that are under way: so many at most between their request being read and their answer
/// being written, so that a caller who does not read its answers is not read either.
final class MeterWindow: Sendable {
    private struct State {
        var underWay = 0
        /// The reading side, waiting for room or for the end.
        var waiter: CheckedContinuation<Void, Never>?
        /// How few must be under way for the waiter to go on.
        var wanted = 0
        var isCancelled = false

        mutating func takeWaiter() -> CheckedContinuation<Void, Never>? {
            defer { waiter = nil }
            return waiter
        }
    }

    /// The answers in the order in which they became durable.
    let answers: AsyncStream<MeterResponse>
    private let continuation: AsyncStream<MeterResponse>.Continuation
    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) {
        self.limit = limit
        (answers, continuation) = AsyncStream.makeStream(of: MeterResponse.self)
    }

    /// Waits for room and takes it.
    func enter() async {
        await wait(untilAtMost: limit - 1)
        state.withLock { $0.underWay += 1 }
    }

    /// A step was answered by the engine.
    func answered(_ answer: MeterResponse) {
        continuation.yield(answer)
    }

    /// An answer was written to the caller.
    func written() {
        let waiter = state.withLock { state in
            state.underWay -= 1
            return state.underWay <= state.wanted ? state.takeWaiter() : nil
        }
        waiter?.resume()
    }

    /// Waits until every answer is written, then ends `answers`.
    func finish() async {
        await wait(untilAtMost: 0)
        continuation.finish()
    }

    private func wait(untilAtMost wanted: Int) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.isCancelled || state.underWay <= wanted { return true }
                    state.waiter = continuation
                    state.wanted = wanted
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.isCancelled = true
                return state.takeWaiter()
            }
            waiter?.resume()
        }
    }
}

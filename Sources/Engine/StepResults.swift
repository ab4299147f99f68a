/// The results of many steps of which some take a look-up: told when the last of them is there and all are durable.
final class StepResults: Sendable {
    private struct State: Sendable {
        var results: [Result<StepResult, EngineError>]
        let looking: Set<Int>
        /// Of those that need a look-up, how many are not told yet.
        var missing: Int
        /// The others are durable, or were refused.
        var isDurable = false
    }

    private let state: Protected<State>
    private let completion: ManyStepsCompletion

    /// - Parameter looking: Those whose results are still to come.
    init(
        _ results: [Result<StepResult, EngineError>], looking: [Int], _ completion: @escaping ManyStepsCompletion
    ) {
        state = Protected(State(results: results, looking: Set(looking), missing: looking.count))
        self.completion = completion
    }

    func set(_ index: Int, _ result: Result<StepResult, EngineError>) {
        tell { state in
            state.results[index] = result
            state.missing -= 1
        }
    }

    /// What needed no look-up is durable, or none of it is.
    func others(_ error: EngineError?) {
        tell { state in
            state.isDurable = true
            guard let error else { return }
            for index in state.results.indices where !state.looking.contains(index) {
                state.results[index] = .failure(error)
            }
        }
    }

    private func tell(_ change: (inout State) -> Void) {
        let results = state.withLock { state in
            change(&state)
            return state.isDurable && state.missing == 0 ? state.results : nil
        }
        if let results { completion(results) }
    }
}

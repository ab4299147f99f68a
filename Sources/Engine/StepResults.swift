import Locks

/// The results of many steps that are not all decided in one go: told when every one of them is there and durable.
final class StepResults: Sendable {
    private struct State: Sendable {
        var results: [StepOutcome]
        /// How many are not there yet.
        var missing: Int
    }

    private let state: Protected<State>
    private let completion: ManyStepsCompletion

    init(count: Int, _ completion: @escaping ManyStepsCompletion) {
        state = Protected(
            State(results: [StepOutcome](repeating: .failure(.stopping), count: count), missing: count))
        self.completion = completion
    }

    /// The results of some steps, from one on: each is set once.
    func set(from first: Int, _ results: [StepOutcome]) {
        let all = state.withLock { state -> [StepOutcome]? in
            state.results.replaceSubrange(first..<first + results.count, with: results)
            state.missing -= results.count
            return state.missing == 0 && !results.isEmpty ? state.results : nil
        }
        if let all { completion(all) }
    }
}

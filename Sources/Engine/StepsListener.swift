import Ledger
import Locks

/// Who has many steps done on a tenant's book, each by itself, in their order. A step's command is asked for when its turn has
/// come, and what came of it is told at once: what one step needs is let go of before the next one's is made, and what waits
/// for the disk is only whom to tell.
///
/// All but `settled` is called under the lock of the tenant's book: it must be quick and may not call the engine.
package protocol StepsListener: StepCaller {
    /// Where it is told what is settled; nil where any of the engine's threads will do.
    var queue: (any CompletionQueue)? { get }

    var stepCount: Int { get }

    /// The command of a step: the same each time, as it is asked for again where steps wait for a look-up. Nil for a step that
    /// the listener refuses itself.
    func command(at index: Int) -> Command?

    /// Not all of the steps are done within the call that brought them: what commands are made of must outlast it.
    func keep()

    /// A step was decided, one after the other: see `StepListener.decided`.
    func decided(at index: Int, _ outcome: borrowing Result<StepAnswer, Refusal>, replayed: Bool)

    /// The turn of a step that has no command, among those that are decided.
    func passed(at index: Int)

    /// Steps are durable and may be told; with an error none of them was done, whatever they were decided to be. Each step is
    /// settled once.
    func settled(_ steps: Range<Int>, _ error: EngineError?)
}

extension StepsListener {
    /// Tells what came of steps, where the listener is told.
    func tell(_ steps: Range<Int>, _ error: EngineError?) {
        if let queue { queue.run { [self] in settled(steps, error) } } else { settled(steps, error) }
    }
}

/// The steps that were decided in one go wait for their record.
final class StepsWaiter: DurabilityWaiter {
    let queue: (any CompletionQueue)?
    private let listener: any StepsListener
    private let steps: Range<Int>

    init(_ steps: Range<Int>, of listener: any StepsListener) {
        queue = listener.queue
        self.listener = listener
        self.steps = steps
    }

    func settled(_ error: EngineError?) { listener.settled(steps, error) }
}

/// One step that is to be looked up, on behalf of its listener.
final class SingleStep: StepsListener {
    private let command: Command
    private let listener: any StepListener

    init(_ command: Command, for listener: any StepListener) {
        self.command = command
        self.listener = listener
    }

    var queue: (any CompletionQueue)? { listener.queue }
    var hasGone: Bool { listener.hasGone }
    var stepCount: Int { 1 }

    func command(at index: Int) -> Command? { command }

    func keep() {}

    func decided(at index: Int, _ outcome: borrowing Result<StepAnswer, Refusal>, replayed: Bool) {
        listener.decided(outcome, replayed: replayed)
    }

    func passed(at index: Int) { preconditionFailure("a step that has a command") }

    func settled(_ steps: Range<Int>, _ error: EngineError?) { listener.settled(error) }
}

/// Steps that are there as commands; a closure is called with the results of all of them.
final class ListedSteps: StepsListener {
    private struct State: Sendable {
        var results: [StepOutcome]
        /// How many are not settled.
        var missing: Int
    }

    let queue: (any CompletionQueue)?
    private let commands: [Command]
    private let caller: (any StepCaller)?
    private let completion: ManyStepsCompletion
    private let state: Protected<State>

    init(
        _ commands: [Command], queue: (any CompletionQueue)?, caller: (any StepCaller)?,
        completion: @escaping ManyStepsCompletion
    ) {
        self.commands = commands
        self.queue = queue
        self.caller = caller
        self.completion = completion
        let none = [StepOutcome](repeating: .failure(.stopping), count: commands.count)
        state = Protected(State(results: none, missing: commands.count))
    }

    var hasGone: Bool { caller?.hasGone ?? false }
    var stepCount: Int { commands.count }

    func command(at index: Int) -> Command? { commands[index] }

    func keep() {}

    func decided(at index: Int, _ outcome: borrowing Result<StepAnswer, Refusal>, replayed: Bool) {
        let result = StepResult(outcome: copy outcome, replayed: replayed)
        state.withLock { $0.results[index] = .success(result) }
    }

    func passed(at index: Int) { preconditionFailure("a step that has a command") }

    func settled(_ steps: Range<Int>, _ error: EngineError?) {
        let all = state.withLock { state -> [StepOutcome]? in
            if let error { for index in steps { state.results[index] = .failure(error) } }
            state.missing -= steps.count
            return state.missing == 0 ? state.results : nil
        }
        if let all { completion(all) }
    }
}

import Ledger

/// Who waits for the journal: told once, on its queue, when everything that it knows of is durable, or that it is not.
package protocol DurabilityWaiter: AnyObject, Sendable {
    /// Where it is told; nil where any of the engine's threads will do.
    var queue: (any CompletionQueue)? { get }

    /// - Parameter error: Nothing of it was done; nil where it is durable and may be told.
    func settled(_ error: EngineError?)
}

/// Who has a step done. It hears of the step twice, so that the answer can be made while its parts are at hand, and what
/// waits for the disk is only whom to tell.
package protocol StepListener: DurabilityWaiter, StepCaller {
    /// The step was decided. Once at most, before `settled`, on any thread and under the lock of the tenant's book: it must be
    /// quick and may not call the engine. Nothing of the result may leave before `settled` says so, as a crash, or a disk that
    /// fails, may still take it back.
    func decided(_ outcome: borrowing Result<StepAnswer, Refusal>, replayed: Bool)
}

/// Calls a closure with the outcome.
///
/// `@unchecked Sendable`: the result is written before the listener is handed to who tells it, and read by that one alone.
final class ClosureListener: StepListener, @unchecked Sendable {
    let queue: (any CompletionQueue)?
    private let caller: (any StepCaller)?
    private let completion: StepCompletion
    private var result: StepResult?

    init(queue: (any CompletionQueue)?, caller: (any StepCaller)?, _ completion: @escaping StepCompletion) {
        self.queue = queue
        self.caller = caller
        self.completion = completion
    }

    var hasGone: Bool { caller?.hasGone ?? false }

    func decided(_ outcome: borrowing Result<StepAnswer, Refusal>, replayed: Bool) {
        result = StepResult(outcome: copy outcome, replayed: replayed)
    }

    func settled(_ error: EngineError?) {
        if let error { return completion(.failure(error)) }
        guard let result else { preconditionFailure("a step is settled that was never decided") }
        completion(.success(result))
    }
}

/// Calls a closure when what is before it is durable.
final class ClosureWaiter: DurabilityWaiter {
    let queue: (any CompletionQueue)?
    private let body: @Sendable (EngineError?) -> Void

    init(queue: (any CompletionQueue)?, _ body: @escaping @Sendable (EngineError?) -> Void) {
        self.queue = queue
        self.body = body
    }

    func settled(_ error: EngineError?) { body(error) }
}

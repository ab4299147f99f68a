import Ledger
import Storage

/// Why the engine could not carry a step or a read out. The ledger's own refusals are answers, not errors.
package enum EngineError: Error, Sendable {
    /// The disk does not take writes. Nothing of the step stays; it may be tried again under the same id.
    case unavailable(String)
    /// A bound was reached; later there is room again.
    case overloaded(Shortage)
    case stopping
    /// The caller cancelled, or its deadline passed, before the step was decided. Nothing was done.
    case callerGone
    /// The tenant's shard is damaged; other tenants are not touched.
    case damaged(TenantID, StorageError)
}

extension EngineError {
    /// A shard could not be read: for good where its bytes are wrong, for now where the disk or a bound of the system is to blame.
    static func reading(_ tenant: TenantID, _ error: StorageError) -> EngineError {
        error.isCorruption ? .damaged(tenant, error) : .unavailable("the tenant's shard cannot be read: \(error)")
    }

    /// The same for a shard that could not be written.
    static func writing(_ tenant: TenantID, _ error: StorageError) -> EngineError {
        error.isCorruption ? .damaged(tenant, error) : .unavailable("the tenant's shard cannot be written: \(error)")
    }
}

/// The outcome of a step that is durable, or was not one (a refusal).
package struct StepResult: Sendable {
    package var outcome: Result<StepAnswer, Refusal>
    package var replayed: Bool

    package init(outcome: Result<StepAnswer, Refusal>, replayed: Bool) {
        self.outcome = outcome
        self.replayed = replayed
    }
}

package typealias StepOutcome = Result<StepResult, EngineError>

package typealias StepCompletion = @Sendable (StepOutcome) -> Void

/// Told the results in the order of the steps.
package typealias ManyStepsCompletion = @Sendable ([StepOutcome]) -> Void

/// Where completions run, so that all of one batch that belong to one event loop cost one wake.
package protocol CompletionQueue: AnyObject, Sendable {
    func run(_ work: @escaping @Sendable () -> Void)
}

/// Why the ledger did not do a step. Each becomes a gRPC status with a reason at the edge.
package enum Refusal: Error, Equatable, Sendable {
    /// Not enough is available; remembered under the step's id.
    case insufficientCredits(neededMicros: Int64, availableMicros: Int64)
    case reservationNotFound
    /// The step needs an open reservation (or one that a late commit still may charge).
    case reservationClosed(ReservationState)
    /// The id was used before with other contents.
    case idReused
    /// More than is left of what was committed. `refundableMicros` is what is left.
    case refundExceedsCommitted(refundableMicros: Int64)
    /// Quantities that the reservation's price cannot price.
    case price(PricingError)
    /// A grant that would have expired before it is made.
    case expiryPassed
    /// An amount or a sum does not fit 64 bits.
    case overflow
    /// The owner has switched AI off; remembered under the step's id.
    case aiDisabled
    /// A hard limit would be exceeded; remembered under the step's id.
    indirect case hardLimitReached(LimitReached)
    case grantNotFound
    /// The catalog does not have the plan.
    case planNotFound
    /// Nothing can be put off to the end of a cycle where none runs.
    case noCycle
    /// There is no subscription whose state could change.
    case noSubscription

    /// Refusals that depend on what was there at the moment are remembered: the same id gets the same refusal again.
    /// They are what the audit trail notes.
    package var isRemembered: Bool {
        switch self {
        case .insufficientCredits, .aiDisabled, .hardLimitReached: true
        default: false
        }
    }
}

/// The limit that a step would have exceeded.
package struct LimitReached: Equatable, Sendable {
    package var scope: LimitScope
    package var window: LimitWindow
    package var member: String
    package var feature: String
    package var hardMicros: Int64
    /// What stood against it before the step.
    package var usedMicros: Int64
    /// What the step would have added.
    package var neededMicros: Int64

    package init(
        scope: LimitScope, window: LimitWindow, member: String, feature: String, hardMicros: Int64,
        usedMicros: Int64, neededMicros: Int64
    ) {
        self.scope = scope
        self.window = window
        self.member = member
        self.feature = feature
        self.hardMicros = hardMicros
        self.usedMicros = usedMicros
        self.neededMicros = neededMicros
    }
}

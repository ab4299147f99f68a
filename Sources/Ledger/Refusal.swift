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

    /// Refusals that depend on what was there at the moment are remembered: the same id gets the same refusal again.
    package var isRemembered: Bool {
        if case .insufficientCredits = self { true } else { false }
    }
}

/// What makes an entry impossible in the book that it is to continue, or a snapshot impossible in itself. In a book that
/// this core wrote and nobody touched it means a bug; in a file that is being verified it is what the proof looks for.
package enum Contradiction: Error, Equatable, Sendable {
    /// The entry's number is not the one after the last.
    case sequence(expected: UInt64, found: UInt64)
    /// The entry is dated earlier than the one before it.
    case time
    /// What the entry carries does not belong to its kind.
    case detail
    /// A grant with another number than the next, or with amounts that a new grant cannot have.
    case newGrant(UInt32)
    /// A move in a grant that does not exist.
    case unknownGrant(UInt32)
    /// A grant would have less than nothing in one of its columns, or more than 64 bits hold.
    case grant(UInt32)
    /// The balance after the entry is not the one that its moves lead to.
    case balance
    /// granted = available + held + consumed + expired does not hold.
    case conservation
    /// A reservation begins under the id of another.
    case reservationExists(StepID)
    /// An open reservation goes on that never began.
    case unknownReservation(StepID)
    /// A reservation goes on that cannot: it is not open, or what it has does not follow from what it had.
    case reservation(StepID)
    /// A step was done twice.
    case stepExists(StepKey)
    /// What governs the book cannot be, as the book stands.
    case governance
    /// A price with another version than the next.
    case price(version: UInt32)
}

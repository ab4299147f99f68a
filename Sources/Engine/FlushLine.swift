import Ledger

/// Books that wait to be flushed, by when they are due; all that enter wait equally long, so they are due in order.
struct FlushLine {
    /// A place in the line; it means nothing any more where the book has got another ticket, or lost its own.
    struct Place {
        let book: Book
        let ticket: UInt64
        let dueMs: Int
    }

    private var places = FIFO<Place>()

    /// When its first is due.
    var nextDueMs: Int? { places.first?.dueMs }

    mutating func append(_ place: Place) { places.append(place) }

    /// Nil where nobody waits.
    mutating func popFirst() -> Place? { places.popFirst() }
}

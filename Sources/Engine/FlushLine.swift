/// Books that wait to be flushed, by when they are due; all that enter wait equally long, so they are due in order.
struct FlushLine {
    /// A place in the line; it means nothing any more where the book has got another ticket, or lost its own.
    struct Place {
        let book: Book
        let ticket: UInt64
        let dueMs: Int
    }

    private var places: [Place] = []
    private var head = 0

    /// When its first is due.
    var nextDueMs: Int? { head < places.count ? places[head].dueMs : nil }

    mutating func append(_ place: Place) {
        places.append(place)
    }

    mutating func removeFirst() -> Place {
        let place = places[head]
        head += 1
        if head == places.count || head > 1_024 && head * 2 > places.count {
            places.removeFirst(head)
            head = 0
        }
        return place
    }
}

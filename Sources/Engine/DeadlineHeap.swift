import Ledger

/// The books that have something to end, by when. An element whose book has been scheduled anew is stale and is skipped by who pops it.
struct DeadlineHeap {
    private var elements: [(deadline: Instant, book: Book)] = []

    var count: Int { elements.count }

    /// Throws out what is stale, so that books that come and go do not pile up until their deadlines.
    mutating func removeStale(_ isStale: (Instant, Book) -> Bool) {
        elements.removeAll { isStale($0.deadline, $0.book) }
        for parent in stride(from: elements.count / 2 - 1, through: 0, by: -1) { siftDown(from: parent) }
    }

    mutating func push(_ deadline: Instant, _ book: Book) {
        elements.append((deadline, book))
        var child = elements.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if elements[parent].deadline <= elements[child].deadline { break }
            elements.swapAt(parent, child)
            child = parent
        }
    }

    /// Takes out the earliest, if its time has come.
    mutating func popDue(at now: Instant) -> (Instant, Book)? {
        guard let first = elements.first, first.deadline <= now else { return nil }
        let last = elements.removeLast()
        if !elements.isEmpty {
            elements[0] = last
            siftDown(from: 0)
        }
        return (first.deadline, first.book)
    }

    private mutating func siftDown(from start: Int) {
        var parent = start
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < elements.count {
                if elements[child].deadline < elements[least].deadline { least = child }
            }
            if least == parent { return }
            elements.swapAt(parent, least)
            parent = least
        }
    }
}

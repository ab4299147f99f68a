/// The open holds by the moment at which they end: a binary heap. A hold that ends otherwise, or is extended, stays in
/// it as stale until it comes to the top or stale ones outnumber the others; the top itself is never stale.
struct HoldQueue: Sendable {
    struct Item {
        let expiresAt: Instant
        let id: StepID
        /// Its place in the table of reservations.
        let slot: Int

        func precedes(_ other: Item) -> Bool {
            if expiresAt != other.expiresAt { return expiresAt < other.expiresAt }
            return id < other.id
        }
    }

    private var items: [Item] = []
    private var staleCount = 0

    var first: Item? { items.first }

    mutating func push(_ item: Item) {
        items.append(item)
        rise(from: items.count - 1)
    }

    /// One item that is in the queue ceased to be live in `table`.
    mutating func becameStale(in table: ReservationTable) {
        staleCount += 1
        while let first = items.first, !table.isLive(first) {
            removeFirst()
            staleCount -= 1
        }
        if staleCount > Limits.minStaleHolds, staleCount * 2 > items.count { compact(table) }
    }

    private mutating func compact(_ table: ReservationTable) {
        items.removeAll { !table.isLive($0) }
        staleCount = 0
        for position in stride(from: items.count / 2 - 1, through: 0, by: -1) { sink(from: position) }
    }

    private mutating func removeFirst() {
        let last = items.removeLast()
        if !items.isEmpty {
            items[0] = last
            sink(from: 0)
        }
    }

    private mutating func rise(from start: Int) {
        let item = items[start]
        var position = start
        while position > 0 {
            let parent = (position - 1) / 2
            guard item.precedes(items[parent]) else { break }
            items[position] = items[parent]
            position = parent
        }
        items[position] = item
    }

    private mutating func sink(from start: Int) {
        let item = items[start]
        var position = start
        while true {
            var child = 2 * position + 1
            guard child < items.count else { break }
            if child + 1 < items.count, items[child + 1].precedes(items[child]) { child += 1 }
            guard items[child].precedes(item) else { break }
            items[position] = items[child]
            position = child
        }
        items[position] = item
    }
}

/// A piece of work that an event loop does at a time, unless it is cancelled before. Confined to its loop's thread.
package final class TimerToken {
    /// When, on the monotonic clock.
    let dueNs: Int64
    /// What; gone once it ran or was cancelled, so that nothing is kept alive by a dead timer.
    var work: (() -> Void)?
    /// Where the token stands in the heap; -1 when it stands in none.
    fileprivate var index = -1

    init(dueNs: Int64, work: @escaping () -> Void) {
        self.dueNs = dueNs
        self.work = work
    }

    /// Whether the work is still to come.
    package var isPending: Bool { index >= 0 }
}

/// A binary heap of timers, the earliest on top; a cancelled one leaves it at once.
struct TimerHeap {
    private var tokens: [TimerToken] = []

    /// When the earliest is due.
    var nextDueNs: Int64? { tokens.first?.dueNs }
    /// How many wait.
    var count: Int { tokens.count }

    mutating func insert(_ token: TimerToken) {
        token.index = tokens.count
        tokens.append(token)
        siftUp(from: token.index)
    }

    mutating func remove(_ token: TimerToken) {
        let index = token.index
        guard index >= 0 else { return }
        token.index = -1
        let last = tokens.removeLast()
        guard index < tokens.count else { return }
        tokens[index] = last
        last.index = index
        siftUp(from: index)
        siftDown(from: last.index)
    }

    /// Takes the earliest where it is due.
    mutating func popDue(nowNs: Int64) -> TimerToken? {
        guard let first = tokens.first, first.dueNs <= nowNs else { return nil }
        remove(first)
        return first
    }

    private mutating func siftUp(from start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard tokens[index].dueNs < tokens[parent].dueNs else { return }
            swap(index, parent)
            index = parent
        }
    }

    private mutating func siftDown(from start: Int) {
        var index = start
        while true {
            var least = index
            for child in 2 * index + 1..<min(2 * index + 3, max(tokens.count, 2 * index + 1)) {
                if tokens[child].dueNs < tokens[least].dueNs { least = child }
            }
            guard least != index else { return }
            swap(index, least)
            index = least
        }
    }

    private mutating func swap(_ left: Int, _ right: Int) {
        tokens.swapAt(left, right)
        tokens[left].index = left
        tokens[right].index = right
    }
}

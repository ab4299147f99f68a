/// Those who wait for one batch, by the queue in which they are told: of one queue they are told together, in their order.
struct Waiters: Sendable {
    private struct Line: Sendable {
        let queue: (any CompletionQueue)?
        var waiters: [any DurabilityWaiter]
    }

    /// As many as there are event loops, and one: few.
    private var lines: [Line] = []
    private(set) var count = 0

    mutating func append(_ waiter: any DurabilityWaiter) {
        count += 1
        let queue = waiter.queue
        for index in lines.indices where lines[index].queue === queue {
            return lines[index].waiters.append(waiter)
        }
        lines.append(Line(queue: queue, waiters: [waiter]))
    }

    mutating func append(contentsOf later: Waiters) {
        for line in later.lines { for waiter in line.waiters { append(waiter) } }
    }

    /// Tells all of them, those of one queue with one call.
    func tell(_ error: EngineError?) {
        for line in lines {
            let waiters = line.waiters
            if let queue = line.queue {
                queue.run { waiters.tell(error) }
            } else {
                waiters.tell(error)
            }
        }
    }
}

extension [any DurabilityWaiter] {
    fileprivate func tell(_ error: EngineError?) {
        for waiter in self { waiter.settled(error) }
    }
}

/// What has something done at a time. Called on the loop's thread, once for each time that it asked for.
package protocol TimerTarget: AnyObject {
    func timeIsUp()
}

/// Names a timer of an event loop. Once it ran or was cancelled the name is nobody's, and may be cancelled again.
package struct TimerToken {
    /// When, on the monotonic clock.
    let dueNs: Int64
    fileprivate let slot: UInt32
    fileprivate let generation: UInt32
}

/// A binary heap of timers, the earliest on top; a cancelled one leaves it at once, so that nothing is kept alive by a dead
/// timer. Calls set one each: it allocates nothing for them, and what is compared lies together.
struct TimerHeap {
    private struct Node {
        let dueNs: Int64
        let slot: UInt32
    }

    private struct Slot {
        var generation: UInt32 = 0
        /// Where its node stands.
        var index = 0
        /// Nil where the slot is free.
        var target: (any TimerTarget)?
    }

    private var nodes: [Node] = []
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []

    /// When the earliest is due.
    var nextDueNs: Int64? { nodes.first?.dueNs }
    /// How many wait.
    var count: Int { nodes.count }

    mutating func insert(_ target: any TimerTarget, dueNs: Int64) -> TimerToken {
        let slot = freeSlots.popLast() ?? UInt32(slots.count)
        if Int(slot) == slots.count { slots.append(Slot()) }
        slots[Int(slot)].target = target
        slots[Int(slot)].index = nodes.count
        nodes.append(Node(dueNs: dueNs, slot: slot))
        siftUp(from: nodes.count - 1)
        return TimerToken(dueNs: dueNs, slot: slot, generation: slots[Int(slot)].generation)
    }

    mutating func remove(_ token: TimerToken) {
        guard slots[Int(token.slot)].generation == token.generation else { return }
        _ = take(at: slots[Int(token.slot)].index)
    }

    /// Takes the earliest where it is due.
    mutating func popDue(nowNs: Int64) -> (any TimerTarget)? {
        guard let first = nodes.first, first.dueNs <= nowNs else { return nil }
        return take(at: 0)
    }

    private mutating func take(at index: Int) -> (any TimerTarget)? {
        let slot = nodes[index].slot
        let last = nodes.removeLast()
        if index < nodes.count {
            place(last, at: index)
            siftUp(from: index)
            siftDown(from: slots[Int(last.slot)].index)
        }
        slots[Int(slot)].generation &+= 1
        freeSlots.append(slot)
        return slots[Int(slot)].target.take()
    }

    private mutating func place(_ node: Node, at index: Int) {
        nodes[index] = node
        slots[Int(node.slot)].index = index
    }

    private mutating func siftUp(from start: Int) {
        let node = nodes[start]
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard node.dueNs < nodes[parent].dueNs else { break }
            place(nodes[parent], at: index)
            index = parent
        }
        if index != start { place(node, at: index) }
    }

    private mutating func siftDown(from start: Int) {
        let node = nodes[start]
        var index = start
        while true {
            var child = 2 * index + 1
            guard child < nodes.count else { break }
            if child + 1 < nodes.count, nodes[child + 1].dueNs < nodes[child].dueNs { child += 1 }
            guard nodes[child].dueNs < node.dueNs else { break }
            place(nodes[child], at: index)
            index = child
        }
        if index != start { place(node, at: index) }
    }
}

/// A queue over an array: what was taken off the front is let go of at once, and cut off once it is the larger half.
package struct FIFO<Element> {
    private var elements: [Element?] = []
    private var head = 0

    package init() {}

    package var count: Int { elements.count - head }

    package var first: Element? { head < elements.count ? elements[head] : nil }

    package mutating func append(_ element: Element) {
        elements.append(element)
    }

    package mutating func popFirst() -> Element? {
        guard let first else { return nil }
        removeFirst()
        return first
    }

    package mutating func removeFirst() {
        elements[head] = nil
        head += 1
        if head == elements.count {
            // A large one is used again soon; of many small ones each would keep its room.
            elements.removeAll(keepingCapacity: head >= Limits.fewSlots)
            head = 0
        } else if head >= 64, head * 2 >= elements.count {
            elements.removeFirst(head)
            head = 0
        }
    }
}

extension FIFO: Sendable where Element: Sendable {}

/// A queue over an array: what was taken off the front is cut off once it is the larger half.
struct FIFO<Element: Sendable>: Sendable {
    private var elements: [Element?] = []
    private var head = 0

    var count: Int { elements.count - head }

    var first: Element? { head < elements.count ? elements[head] : nil }

    mutating func append(_ element: Element) {
        elements.append(element)
    }

    mutating func removeFirst() {
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

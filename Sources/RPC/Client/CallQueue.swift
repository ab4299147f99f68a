/// A call that the channel places on a connection when one has room. All of it happens on the channel's loop.
protocol ChannelCall: AnyObject {
    /// Whether it waits while no server can be reached.
    var waitsForReady: Bool { get }
    /// Whether it stands in the channel's queue; the queue keeps this.
    var isQueued: Bool { get set }
    /// Whether it ended (cancelled, timed out) while it waited; it is then skipped.
    var isOver: Bool { get }
    /// Sends the call on a connection that has room.
    func open(on connection: ClientConnection)
    /// Ends the call before it was sent.
    func fail(_ error: RPCError)
}

/// Calls in the order in which they came, with a bound. Those that end while they wait leave gaps, which are skipped.
struct CallQueue {
    private let limit: Int
    private var calls: [(any ChannelCall)?] = []
    private var first = 0
    /// How many of the calls still want a connection.
    private(set) var count = 0

    init(limit: Int) {
        self.limit = limit
    }

    var isEmpty: Bool { count == 0 }
    var isFull: Bool { count >= limit }

    mutating func append(_ call: any ChannelCall) {
        // Gaps must not add up while nothing is taken out.
        if calls.count - first > 2 * count + 64 {
            calls = calls[first...].filter { $0.map { !$0.isOver } ?? false }
            first = 0
        }
        calls.append(call)
        call.isQueued = true
        count += 1
    }

    /// Takes the oldest call that is not over.
    mutating func popFirst() -> (any ChannelCall)? {
        while first < calls.count {
            let call = calls[first]
            calls[first] = nil
            first += 1
            if let call, !call.isOver {
                count -= 1
                compact()
                call.isQueued = false
                return call
            }
        }
        compact()
        return nil
    }

    /// A call that stands in the queue is over.
    mutating func lost(_ call: any ChannelCall) {
        call.isQueued = false
        count -= 1
    }

    /// Takes out all calls for which the condition holds, in their order.
    mutating func removeAll(where condition: (any ChannelCall) -> Bool) -> [any ChannelCall] {
        var removed: [any ChannelCall] = []
        var kept: [(any ChannelCall)?] = []
        for case let call? in calls[first...] where !call.isOver {
            if condition(call) {
                call.isQueued = false
                removed.append(call)
            } else {
                kept.append(call)
            }
        }
        calls = kept
        first = 0
        count = kept.count
        return removed
    }

    private mutating func compact() {
        guard first > 1_024, first > calls.count / 2 else {
            if first == calls.count {
                calls.removeAll(keepingCapacity: true)
                first = 0
            }
            return
        }
        calls.removeSubrange(..<first)
        first = 0
    }
}

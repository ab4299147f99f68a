import Synchronization

/// What connections counted, shared by those of a listener or a client; readable from any thread.
package final class HTTP2Metrics: Sendable {
    /// The events that are counted.
    package enum Event: Int, CaseIterable, Sendable {
        /// Connections taken, and those turned away over the bound.
        case accepted, connectionsRefused
        /// Pauses of accepting because the process ran out of descriptors.
        case acceptPauses
        /// Connections that ended.
        case closed
        /// Streams opened.
        case streams
        /// RST_STREAM received and sent.
        case resetsReceived, resetsSent
        /// GOAWAY sent in peace, for too many pings, for floods, and for what nghttp2 found wrong.
        case goawayDrain, goawayPings, goawayFlood, goawayProtocol
        /// Bounds of streams told to a client because of overload.
        case streamLimits
        /// Header blocks over the limit.
        case headersTooLarge
        /// Streams reset because their connection's output was over the bound.
        case outputTooLarge
        /// Connections closed because of a time-out: before SETTINGS or within a header block; unanswered pings;
        /// unread output.
        case handshakeTimeouts, pingTimeouts, writeStalls
        /// Connections drained for their idleness and their age.
        case idleDrains, ageDrains
    }

    private let counters: Counters

    package init() { counters = Counters() }

    /// How often the event happened since the start.
    package func count(of event: Event) -> Int { counters[event.rawValue].load(ordering: .relaxed) }

    /// Connections that are open now.
    package var active: Int { count(of: .accepted) - count(of: .closed) }

    func add(_ event: Event, _ count: Int = 1) { counters[event.rawValue].wrappingAdd(count, ordering: .relaxed) }
}

/// One atomic counter for each event. Its memory lives as long as the object, which never changes where it is.
private final class Counters: @unchecked Sendable {
    private let storage: UnsafeMutablePointer<Atomic<Int>>
    private let count = HTTP2Metrics.Event.allCases.count

    init() {
        storage = .allocate(capacity: count)
        for index in 0..<count { (storage + index).initialize(to: Atomic(0)) }
    }

    deinit {
        storage.deinitialize(count: count)
        storage.deallocate()
    }

    subscript(_ index: Int) -> Atomic<Int> {
        _read { yield storage[index] }
    }
}

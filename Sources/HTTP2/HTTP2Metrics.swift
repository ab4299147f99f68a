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
        /// The floods by what they were made of; see `HTTP2CutOff.Reason`.
        case peerResetFloods, ownResetFloods, controlFrameFloods, queuedFrameFloods, continuationFloods, headerBombs
        /// Bounds of streams told to a client because of overload.
        case streamLimits
        /// Header blocks over the limit.
        case headersTooLarge
        /// Streams reset because their connection's output was over the bound.
        case outputTooLarge
        /// Streams refused because too many were open on their loop.
        case streamsRefused
        /// Connections closed because of a time-out: before SETTINGS; within a header block; unanswered pings; unread
        /// output.
        case handshakeTimeouts, headerBlockTimeouts, pingTimeouts, writeStalls
        /// Streams ended because their request, or the reading of their answer, took too long.
        case requestTimeouts, slowReaders
        /// Idle connections closed to make room for new ones.
        case evictions
        /// Connections drained for their idleness and their age.
        case idleDrains, ageDrains
    }

    private let counters: Counters
    private let onCutOff: @Sendable (HTTP2CutOff) -> Void

    /// - Parameter onCutOff: hears of each peer that was cut off, on its loop's thread; must not block.
    package init(onCutOff: @escaping @Sendable (HTTP2CutOff) -> Void = { _ in }) {
        counters = Counters()
        self.onCutOff = onCutOff
    }

    /// How often the event happened since the start.
    package func count(of event: Event) -> Int { counters[event.rawValue].load(ordering: .relaxed) }

    /// Connections that are open now.
    package var active: Int { count(of: .accepted) - count(of: .closed) }

    /// Tells of a peer that is cut off, and counts it.
    func tell(_ cutOff: HTTP2CutOff) {
        if let event = cutOff.reason.event { add(event) }
        onCutOff(cutOff)
    }

    func add(_ event: Event, _ count: Int = 1) { counters[event.rawValue].wrappingAdd(count, ordering: .relaxed) }
}

/// A peer that we ended the connection with, and why.
package struct HTTP2CutOff: Sendable {
    package enum Reason: String, Sendable {
        /// RST_STREAM after RST_STREAM that nobody answers for (CVE-2023-44487).
        case peerResets = "too many resets"
        /// Frames that made us reset streams (CVE-2025-8671).
        case ownResets = "made us reset too many streams"
        /// PING, SETTINGS, PRIORITY, WINDOW_UPDATE, small and empty DATA, unknown frames, acknowledgements.
        case controlFrames = "too many control frames"
        /// More to be sent than a peer that reads leaves unsent.
        case queuedFrames = "too many frames queued"
        /// CVE-2024-28182.
        case continuations = "too many CONTINUATION frames"
        /// Few bytes that stand for very large headers.
        case headerBomb = "header block far over the limit"
        case pings = "too_many_pings"
        /// nghttp2 found something wrong.
        case protocolError = "protocol error"
        case handshakeTimeout = "no SETTINGS in time"
        case headerBlockTimeout = "half a header block"
        case unreadOutput = "reads nothing"

        /// What is counted of it.
        var event: HTTP2Metrics.Event? {
            switch self {
            case .peerResets: .peerResetFloods
            case .ownResets: .ownResetFloods
            case .controlFrames: .controlFrameFloods
            case .queuedFrames: .queuedFrameFloods
            case .continuations: .continuationFloods
            case .headerBomb: .headerBombs
            case .pings: .goawayPings
            case .protocolError: .goawayProtocol
            case .handshakeTimeout: .handshakeTimeouts
            case .headerBlockTimeout: .headerBlockTimeouts
            case .unreadOutput: .writeStalls
            }
        }
    }

    package let reason: Reason
    /// Particulars, of our own or nghttp2's making.
    package let detail: String
    /// The peer's address.
    package let peer: String
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

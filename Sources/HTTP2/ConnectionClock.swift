/// Decides what a connection does because time has passed. It holds times only; the connection tells it what
/// happened, asks it when its one timer fires, and does what it says.
struct ConnectionClock {
    /// What the time asks for.
    enum Action: Equatable {
        case nothing
        case sendPing
        /// Drain, because of idleness or age.
        case drainIdle, drainAge
        /// The PING of a drain is not answered: go on without.
        case endDrainPing
        case closeHandshakeTimeout, closeHeaderBlockTimeout, closePingTimeout, closeWriteStall, closeGraceOver,
            closeLinger
    }

    private let configuration: HTTP2Configuration
    /// The preface and SETTINGS are awaited until then.
    var handshakeDueNs: Int64?
    /// The end of a header block that has begun.
    var headerBlockDueNs: Int64?
    /// The age limit with its jitter.
    private var ageDueNs: Int64?
    /// Streams are cut then.
    private var graceDueNs: Int64?
    private var drainPingDueNs: Int64?
    private var lingerDueNs: Int64?
    /// Since when there is no stream; nil while there are some.
    private(set) var idleSinceNs: Int64?
    /// The last byte of the peer.
    private var lastReadNs: Int64
    /// When the answer to our PING is due.
    private var pingDueNs: Int64?
    /// Since when the socket takes next to nothing, and what it took since.
    private var stalledSinceNs: Int64?
    private var stalledBytes = 0
    private var isDraining = false

    /// `jitter` is from -1 to 1 and stands for the ± 10 % of the age.
    init(_ configuration: HTTP2Configuration, nowNs: Int64, jitter: Double) {
        self.configuration = configuration
        lastReadNs = nowNs
        idleSinceNs = nowNs
        handshakeDueNs = nowNs + configuration.handshakeTimeoutNs
        ageDueNs = configuration.keepalive.ageMaxNs.map { nowNs + $0 + Int64(Double($0) * 0.1 * jitter) }
    }

    mutating func bytesRead(nowNs: Int64) { lastReadNs = nowNs }

    mutating func pingAnswered() { pingDueNs = nil }

    mutating func drainPingAnswered() { drainPingDueNs = nil }

    mutating func streamsChanged(count: Int, nowNs: Int64) {
        idleSinceNs = count > 0 ? nil : nowNs
    }

    mutating func headerBlock(isOpen: Bool, nowNs: Int64) {
        headerBlockDueNs = isOpen ? nowNs + configuration.handshakeTimeoutNs : nil
    }

    /// The socket is full; nothing changes where it was so before.
    mutating func writeStalled(nowNs: Int64) {
        guard stalledSinceNs == nil else { return }
        stalledSinceNs = nowNs
        stalledBytes = 0
    }

    /// The socket took so many bytes; `all` says that nothing is left to be sent. A trickle does not count as reading.
    mutating func written(_ byteCount: Int, all: Bool) {
        stalledBytes += byteCount
        if all || stalledBytes >= Limits.readBytesMin { stalledSinceNs = nil }
    }

    /// The peer was cut off: it has a moment to read why.
    mutating func cutOff(nowNs: Int64) { lingerDueNs = nowNs + Limits.lingerNs }

    mutating func drainBegan(nowNs: Int64, graceNs: Int64?) {
        isDraining = true
        ageDueNs = nil
        drainPingDueNs = nowNs + Limits.drainPingTimeoutNs
        graceDueNs = graceNs.map { nowNs + $0 }
    }

    /// From here on only the end of the socket is awaited.
    mutating func lingerBegan(nowNs: Int64) {
        self = ConnectionClock(configuration, nowNs: nowNs, jitter: 0)
        handshakeDueNs = nil
        isDraining = true
        ageDueNs = nil
        lingerDueNs = nowNs + Limits.lingerNs
    }

    /// What is to be done now; each is said once, save closing.
    mutating func due(nowNs: Int64) -> Action {
        func isOver(_ dueNs: Int64?) -> Bool { dueNs.map { $0 <= nowNs } ?? false }
        if isOver(lingerDueNs) { return .closeLinger }
        if isOver(handshakeDueNs) { return .closeHandshakeTimeout }
        if isOver(headerBlockDueNs) { return .closeHeaderBlockTimeout }
        if isOver(stallDueNs) { return .closeWriteStall }
        if isOver(graceDueNs) { return .closeGraceOver }
        if let dueNs = pingDueNs, dueNs <= nowNs {
            // Any byte since the ping shows that the peer lives.
            if lastReadNs > dueNs - configuration.keepalive.pingTimeoutNs {
                pingDueNs = nil
            } else {
                return .closePingTimeout
            }
        }
        if isOver(drainPingDueNs) {
            drainPingDueNs = nil
            return .endDrainPing
        }
        if isOver(ageDueNs) { return .drainAge }
        if isOver(idleDueNs) { return .drainIdle }
        if isOver(nextPingNs) {
            pingDueNs = nowNs + configuration.keepalive.pingTimeoutNs
            return .sendPing
        }
        return .nothing
    }

    /// When to ask again; nil where nothing is awaited.
    var nextNs: Int64? {
        var earliest = Int64.max
        func consider(_ dueNs: Int64?) {
            if let dueNs, dueNs < earliest { earliest = dueNs }
        }
        consider(lingerDueNs)
        consider(handshakeDueNs)
        consider(headerBlockDueNs)
        consider(stallDueNs)
        consider(graceDueNs)
        consider(pingDueNs)
        consider(drainPingDueNs)
        consider(ageDueNs)
        consider(idleDueNs)
        consider(nextPingNs)
        return earliest == .max ? nil : earliest
    }

    private var stallDueNs: Int64? { stalledSinceNs.map { $0 + configuration.writeStallTimeoutNs } }

    private var idleDueNs: Int64? {
        guard !isDraining, let idleSinceNs, let timeoutNs = configuration.keepalive.idleTimeoutNs else { return nil }
        return idleSinceNs + timeoutNs
    }

    private var nextPingNs: Int64? {
        guard pingDueNs == nil, lingerDueNs == nil, let afterNs = configuration.keepalive.pingAfterNs else {
            return nil
        }
        guard idleSinceNs == nil || configuration.keepalive.pingsWithoutStreams else { return nil }
        return lastReadNs + afterNs
    }
}

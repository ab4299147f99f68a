/// What an operator may set for the connections of a listener or a client. The defaults are safe ones.
///
/// Durations are in nanoseconds; nil means never.
package struct HTTP2Configuration: Sendable {
    /// Streams that the peer may have open on one connection.
    package var concurrentStreamsMax = Limits.concurrentStreamsMax
    /// Connections that a listener has at the same time; further ones are closed at once.
    package var connectionsMax = Limits.connectionsMax
    /// Told when no connection can be accepted because the process is out of descriptors (true), and when one is again.
    /// Called on the listener's loop.
    package var outOfDescriptors: (@Sendable (Bool) -> Void)?
    /// Called on the listener's loop before connections that wait are accepted: whoever goes before them takes its descriptors.
    package var willAccept: (@Sendable () -> Void)?
    /// Names and values of a received header block, with 32 bytes for each field.
    package var headerListBytesMax = Limits.headerListBytesMax
    /// Bytes that the peer may send on one stream, and on the connection, before the handler consumed them.
    package var streamWindowBytes = Limits.streamWindowBytes
    package var connectionWindowBytes = Limits.connectionWindowBytes
    /// Output of one stream above which it is not writable, and below which it is so again.
    package var streamBufferHighBytes = Limits.streamBufferHighBytes
    package var streamBufferLowBytes = Limits.streamBufferLowBytes
    /// Output of all streams of a connection together; the stream that goes over it is reset.
    package var connectionBufferBytesMax = Limits.connectionBufferBytesMax
    /// Time for the peer's preface and SETTINGS, and for a header block that has begun.
    package var handshakeTimeoutNs = Limits.handshakeTimeoutNs
    /// Time for a request to arrive whole, where its stream's delegate says that it should.
    package var requestTimeoutNs = Limits.requestTimeoutNs
    /// Time for which the socket, or a stream whose output waits, may take next to nothing of what is to be sent.
    package var writeStallTimeoutNs = Limits.writeStallTimeoutNs
    /// How long RST_STREAM(NO_ERROR) waits behind an early status, WIRE.md gRPC 9.
    package var resetDelayNs = Limits.resetDelayNs
    /// Whether `HTTP2Connection.isKnown` is said of connections; those of which it is not are then served after the others.
    package var knowsCallers = false
    /// Budgets against floods.
    package var floods = FloodBudgets()
    /// Keepalive and age.
    package var keepalive = Keepalive()

    package init() {}

    /// How much a peer may do that costs us more than it; each bucket is refilled at its rate up to its burst.
    package struct FloodBudgets: Sendable {
        /// RST_STREAM by the peer (CVE-2023-44487) that no delegate answers for; see `HTTP2StreamDelegate.peerReset`.
        package var peerResetBurst = Limits.resetBurst
        package var peerResetsPerSecond = Limits.resetsPerSecond
        /// RST_STREAM that the peer makes us send (CVE-2025-8671).
        package var ownResetBurst = Limits.resetBurst
        package var ownResetsPerSecond = Limits.resetsPerSecond
        /// All frames that no call needs, together; see `FrameMeter`. Calls bring more.
        package var controlFrameBurst = Limits.controlFrameBurst
        package var controlFramesPerSecond = Limits.controlFramesPerSecond

        package init() {}
    }

    /// Keepalive as gRPC's proposals A8 and A9 have it.
    package struct Keepalive: Sendable {
        /// A connection without streams is drained after so long.
        package var idleTimeoutNs: Int64?
        /// A connection is drained at this age, ± 10 %.
        package var ageMaxNs: Int64?
        /// Time for the streams of a connection that is drained for its age, before they are cut.
        package var ageGraceNs: Int64?
        /// After so long without a byte from the peer it gets a PING; a server's default is two hours.
        package var pingAfterNs: Int64? = 2 * 3600 * 1_000_000_000
        /// Whether pings are sent on connections without streams too.
        package var pingsWithoutStreams = true
        /// Time for the peer's answer.
        package var pingTimeoutNs: Int64 = 20 * 1_000_000_000
        /// A peer that pings more often than this while it has calls, or than two hours without, gets a strike.
        package var peerPingIntervalMinNs: Int64 = 300 * 1_000_000_000
        package var peerPingIntervalIdleMinNs: Int64 = 2 * 3600 * 1_000_000_000
        /// Strikes that are forgiven; the next ends the connection. They are reset when HEADERS or DATA is sent.
        package var pingStrikesMax = 2

        package init() {}
    }
}

/// Judges how often a peer pings, as gRPC's proposal A8 has it.
struct PingStrikes {
    private let keepalive: HTTP2Configuration.Keepalive
    private var strikes = 0
    private var lastPingNs = Int64.min
    /// HEADERS or DATA went out since the last ping: the peer may have measured its bandwidth with it.
    private var isForgiven = false

    init(_ keepalive: HTTP2Configuration.Keepalive) { self.keepalive = keepalive }

    /// HEADERS or DATA was sent.
    mutating func callFrameSent() { isForgiven = true }

    /// A PING came; false where it was one too many.
    mutating func pingReceived(nowNs: Int64, hasStreams: Bool) -> Bool {
        let lastNs = lastPingNs
        lastPingNs = nowNs
        if isForgiven {
            isForgiven = false
            strikes = 0
            return true
        }
        let intervalNs = hasStreams ? keepalive.peerPingIntervalMinNs : keepalive.peerPingIntervalIdleMinNs
        let (dueNs, overflow) = lastNs.addingReportingOverflow(intervalNs)
        guard lastNs != .min, !overflow, nowNs < dueNs else { return true }
        strikes += 1
        return strikes <= keepalive.pingStrikesMax
    }
}

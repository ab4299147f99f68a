import HTTP2
import RPC

/// What an operator may say of connections and of those at their other ends.
package struct ConnectionLimits: Sendable {
    package var connectionsMax = HTTP2Configuration().connectionsMax
    /// How long a caller may take to send a whole request, and to read what waits for it.
    package var peerSeconds = 60
    /// Calls that a tenant may cancel beyond those that it lets end, on each loop; many times that at once.
    package var cancelsPerSecond = RPCServerConfiguration().cancelsPerSecond
    /// RST_STREAM that a connection may send for which no tenant answers; many times that at once.
    package var resetsPerSecond = HTTP2Configuration().floods.peerResetsPerSecond

    package init() {}

    func apply(to rpc: inout RPCServerConfiguration) {
        let peerNs = Int64(peerSeconds) * 1_000_000_000
        rpc.http2.connectionsMax = connectionsMax
        rpc.http2.requestTimeoutNs = peerNs
        rpc.http2.writeStallTimeoutNs = peerNs
        rpc.http2.handshakeTimeoutNs = min(rpc.http2.handshakeTimeoutNs, peerNs)
        rpc.cancelsPerSecond = cancelsPerSecond
        rpc.cancelBurst = cancelsPerSecond * Limits.burstSeconds
        rpc.http2.floods.peerResetsPerSecond = resetsPerSecond
        rpc.http2.floods.peerResetBurst = resetsPerSecond * Limits.burstSeconds
    }
}

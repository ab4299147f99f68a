import HTTP2
import Protobuf

/// How a server listens and what it allows. Every member has a default that suits production.
package struct RPCServerConfiguration: Sendable {
    /// The address to listen on: an IPv4 or IPv6 address, or `localhost`.
    package var host = "127.0.0.1"
    /// The port; 0 picks a free one.
    package var port = 0
    /// How many loop threads share the connections.
    package var loopCount = 1
    /// The largest request message, in bytes.
    package var maxRequestBytes = Limits.messageBytes
    /// The largest response message, in bytes.
    package var maxResponseBytes = Limits.messageBytes
    /// Calls under way beyond which further ones are refused with UNAVAILABLE.
    package var maxConcurrentCalls = Limits.concurrentCalls
    /// What waits, and who goes first, when there is more to do than the server can.
    package var overload = OverloadLimits()
    /// What stands beside `RetryInfo` in the status of calls that are refused for that.
    package var overloadDetails: [ProtoAny] = []
    /// Calls that one tenant may cancel on a loop, at once and each second, beside as many as it lets end.
    package var cancelBurst = Limits.cancelBurst
    package var cancelsPerSecond = Limits.cancelsPerSecond
    /// Who hears when each loop has something to do.
    package var activity: LoopActivity?
    /// What HTTP/2 allows: streams, windows, headers, keepalive, floods.
    package var http2 = HTTP2Configuration()

    /// The defaults.
    package init() {}
}

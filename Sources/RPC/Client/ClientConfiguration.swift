import HTTP2

/// How a channel connects and what it allows. Every member has a default that suits a service in production.
public struct ClientConfiguration: Sendable {
    /// The waits between attempts to connect to one endpoint.
    public var backoff = BackoffPolicy()
    /// How long one attempt to connect may take.
    public var connectTimeout: Duration = .seconds(20)
    /// The timeout of calls that name none. Nil lets them last for ever.
    public var defaultTimeout: Duration?
    /// The largest response message, in bytes, where the call does not say otherwise.
    public var maxResponseBytes = Limits.messageBytes
    /// How many calls may wait for a connection or for room on one; the next is refused with RESOURCE_EXHAUSTED.
    public var maxQueuedCalls = Limits.queuedCalls
    /// Sends a PING after so long without anything received, and gives the connection up when it is not answered. Nil sends none.
    public var keepaliveInterval: Duration?
    /// How long an answer to a keepalive PING may take.
    public var keepaliveTimeout: Duration = .seconds(20)
    /// Metadata sent with every call, such as `authorization`.
    public var metadata = Metadata()
    /// Asked for more metadata before each call.
    public var interceptors: [any ClientInterceptor] = []

    /// The defaults.
    public init() {}

    /// What of this is the connections' business.
    var http2: HTTP2Configuration {
        var http2 = HTTP2Configuration()
        // Status details alone may be larger than what a server takes from its clients.
        http2.headerListBytesMax = Limits.receivedHeaderBytes
        http2.handshakeTimeoutNs = connectTimeout.nanosecondsClamped
        // Servers measure the connection with PINGs; one of them that floods its client is none to talk to, but no danger.
        http2.floods.controlFrameBurst = Limits.receivedControlFrames
        http2.floods.controlFramesPerSecond = Limits.receivedControlFrames
        http2.keepalive.pingAfterNs = keepaliveInterval?.nanosecondsClamped
        http2.keepalive.pingsWithoutStreams = false
        http2.keepalive.pingTimeoutNs = keepaliveTimeout.nanosecondsClamped
        return http2
    }
}

/// Adds metadata to the calls of a channel, such as a token that changes now and then.
public protocol ClientInterceptor: Sendable {
    /// Called for each call before it is sent, on the caller's thread; must not block. An error ends the call before it began.
    func intercept(_ method: MethodDescriptor, metadata: inout Metadata) throws(RPCError)
}

/// Why something of this module did not work; each is of the environment or of the other end, never a bug of ours.
package enum HTTP2Error: Error, Sendable, Equatable {
    /// A system call failed: which one, and errno.
    case system(call: String, errno: Int32)
    /// The host's name has no address; the resolver's reason.
    case unresolvable(host: String, reason: String)
    /// The connection was not made in time.
    case connectTimedOut
    /// The other end ended the connection, or it broke.
    case connectionLost
    /// The other end broke HTTP/2, or a budget of ours; nghttp2's reason or our own.
    case protocolViolation(reason: String)
    /// We ended the connection: drained, idle, too old, or stopped.
    case closedLocally
    /// The connection takes no new streams: it drains or is closed.
    case notAcceptingStreams
}

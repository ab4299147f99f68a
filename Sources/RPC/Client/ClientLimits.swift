/// Bounds of the client side.
extension Limits {
    /// The most endpoints of one channel.
    package static let endpoints = 64
    /// How many calls of one channel may wait for a connection or for room on one.
    package static let queuedCalls = 65_536
    /// How often a call is sent again by itself after a server said that it did not begin with it (REFUSED_STREAM, GOAWAY).
    package static let transparentRetries = 2
    /// Bytes of requests that a streaming call keeps so that such a retry can send them again.
    package static let replayBytes = 64 << 10
    /// Bytes of requests that a streaming call holds before `send` waits.
    package static let sendBufferBytes = 64 << 10
    /// Bytes of answers taken by the reader that are gathered before the server is told of the room.
    package static let creditBatchBytes = 16 << 10
    /// Methods whose request headers are kept ready for each endpoint.
    package static let headerTemplates = 1_024
    /// Bytes of one block of response headers, counted as name + value + 32.
    package static let receivedHeaderBytes = 64 << 10
    /// PINGs, SETTINGS and empty DATA frames that a server may send, at once and each second.
    package static let receivedControlFrames = 10_000
}

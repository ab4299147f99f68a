/// Bounds of this module, in one place. What an operator may want to change is in `HTTP2Configuration`, whose
/// defaults are taken from here.
///
/// Two lists have no number of their own because another bound holds them: an event loop's inbox (each call in
/// flight puts at most a few pieces of work there, and calls are bounded by streams and connections), and its
/// timers (a few for each connection, at most two for each stream).
package enum Limits {
    /// What one read takes from a socket; shared by all connections of a loop.
    static let readBufferBytes = 64 * 1024
    /// The largest frame that we send, with its header: the peer may allow more, nghttp2 fills no more.
    static let frameBytesMax = 16 * 1024 + 9
    /// What one write gives to a socket; shared by all connections of a loop.
    static let writeBufferBytes = 64 * 1024 + frameBytesMax
    /// Reads of one connection in a turn of the loop, so that a fast sender does not starve the others.
    static let readsPerTurnMax = 4
    /// Writes of one connection in a turn of the loop, for the same reason.
    static let writesPerTurnMax = 16
    /// Readiness reports taken from the kernel at once.
    static let eventsPerTurnMax = 256
    /// The same, and what is read of each connection, while the loop has more to do than one turn should hold.
    static let eventsPerPressedTurnMax = 16
    static let pressedReadBytes = 16 * 1024
    /// Connections accepted in a turn of the loop.
    static let acceptsPerTurnMax = 64
    /// How long accepting pauses when the process is out of descriptors.
    static let acceptPauseNs: Int64 = 100_000_000
    /// Connections that the kernel queues until they are accepted.
    static let listenBacklog: Int32 = 1024
    /// Addresses of a host that are tried.
    static let addressesMax = 8
    /// Connections of one listener.
    static let connectionsMax = 10_000
    /// Streams that a peer may have open on one connection.
    static let concurrentStreamsMax: UInt32 = 1_000
    /// Names and values of one header block, with 32 bytes for each field as RFC 9113 section 6.5.2 counts them.
    static let headerListBytesMax = 16 * 1024
    /// What a connection has ready for a received header block, and what it keeps of it after a large one.
    static let headerArenaBytes = 1024
    static let keptHeaderArenaBytes = 4096
    /// nghttp2 refuses to send a longer header block.
    package static let sentHeaderListBytesMax = 60 * 1024
    /// Bytes that a peer may send on one stream before we credit them.
    static let streamWindowBytes: Int32 = 1 << 20
    /// Bytes that a peer may send on one connection before we credit them.
    static let connectionWindowBytes: Int32 = 16 << 20
    /// Output of one stream above which it is not writable, and below which it is so again.
    static let streamBufferHighBytes = 64 * 1024
    static let streamBufferLowBytes = 16 * 1024
    /// Streams that ended and that a loop keeps to use their memory again, and the output memory that each keeps.
    static let sparedStreamsMax = 1_024
    static let keptOutputBytes = 1_024
    /// Blocks of each size that a loop keeps of what nghttp2 has given back; there are 16 sizes of 64 to 1,024 bytes.
    static let sparedBlocksMax = 4_096
    /// Pieces of output smaller than this are joined.
    static let joinedChunkBytesMax = 16 * 1024
    /// Output of all streams of one connection; a stream that goes over it is reset.
    static let connectionBufferBytesMax = 64 << 20
    /// Frames other than DATA that wait to be sent on a server's connection, beside four for each allowed stream.
    static let queuedFramesMax = 10_000
    /// Time from accept to the client's first SETTINGS, from a block's first header frame to its last, from GOAWAY
    /// to the peer's end of the connection.
    static let handshakeTimeoutNs: Int64 = 10_000_000_000
    static let lingerNs: Int64 = 1_000_000_000
    /// Time for which a socket may take none of what we have to send.
    static let writeStallTimeoutNs: Int64 = 60_000_000_000
    /// Time for the PING that stands between the two GOAWAYs of a drain.
    static let drainPingTimeoutNs: Int64 = 1_000_000_000
    /// How long RST_STREAM waits behind an early status.
    static let resetDelayNs: Int64 = 200_000_000
    /// Tokens and refill of the budgets against floods.
    static let resetBurst = 1_000
    static let resetsPerSecond = 33
    static let controlFrameBurst = 1_000
    static let controlFramesPerSecond = 100
    /// Acknowledgements that wait to be sent, and entries of one SETTINGS frame.
    static let queuedAcknowledgementsMax = 1_000
    static let settingsEntriesMax = 32
}

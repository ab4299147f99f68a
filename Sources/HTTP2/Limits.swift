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
    static let acceptsPerTurnMax = 4
    /// What connections that have made no call of a known caller take of a turn together, and what is read of each.
    static let strangersTurnNs: Int64 = 250_000
    static let strangerReadBytes = 1024
    /// They have one part of so many of a loop's time, and at once what they need to connect, while others were ready so
    /// recently.
    static let strangersShare: Int64 = 5
    /// How long a connection is a stranger's again that pays for many resets itself.
    static let distrustNs: Int64 = 10_000_000_000
    static let strangersBurstNs: Int64 = 2_000_000
    static let othersAreRecentNs: Int64 = 100_000_000
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
    /// So many times the allowed header list is no mistake any more: the connection ends.
    static let headerBombFactor = 16
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
    /// What all connections of a loop hold together: output, streams, and frames that wait. See `LoopHoldings`.
    static let loopOutputBytesMax = 256 << 20
    static let loopStreamsMax = 100_000
    static let loopQueuedFramesMax = 200_000
    /// Of what is left one connection may have a part of so many, and a few of each in any case.
    static let loopShare = 4
    static let leastStreams = 16
    static let leastQueuedFrames = 256
    /// How often a loop looks at its connections for requests and answers that take too long.
    static let sweepIntervalNs: Int64 = 1_000_000_000
    /// Time for a request that is not a stream of messages to arrive whole.
    static let requestTimeoutNs: Int64 = 60_000_000_000
    /// What a peer must read within `writeStallTimeoutNs` where there is so much to be read.
    static let readBytesMin = 16 * 1024
    /// Idle connections that are closed at once to make room for new ones.
    static let evictionsMax = 64
    /// What is given to nghttp2 at once, so that a flood in one read ends soon after its budget does.
    static let feedBytes = 16 * 1024
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
    /// Tokens and refill of the budgets against floods. A proxy may cancel all of its streams at once: the burst of frames is some
    /// times their number.
    static let resetBurst = 1_000
    static let resetsPerSecond = 33
    static let controlFrameBurst = 4_000
    static let controlFramesPerSecond = 100
    /// DATA with less than this costs a token, with more it brings one: no step of ours is so short.
    static let smallDataBytes = 32
    /// Tokens for a stream that the peer opens, for a frame of a call that we send, and for so many bytes of DATA in it:
    /// what an honest peer may need for them.
    static let tokensPerStream = 4
    static let tokensPerSentFrame = 2
    static let sentBytesPerToken = 1024
    /// Acknowledgements that wait to be sent, and entries of one SETTINGS frame.
    static let queuedAcknowledgementsMax = 1_000
    static let settingsEntriesMax = 32
}

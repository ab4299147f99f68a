/// Follows one stream. Called on the loop's thread only; kept by the stream until `streamClosed`, which comes
/// exactly once and last.
///
/// Whatever a method is called with may be used to send, reset and open streams at once; nothing is written before
/// the turn of the loop ends.
package protocol HTTP2StreamDelegate: AnyObject {
    /// The request's, or the final response's, header block.
    func headersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers, endStream: Bool)
    /// The same, for whom the block may be no news; by itself it makes `headersReceived` of it.
    func headerBlockReceived(_ stream: HTTP2Stream, block: HTTP2HeaderBlock, endStream: Bool)
    /// Bytes, valid only within the call. They are credited to the sender by `HTTP2Stream.consume`. The end of the
    /// stream may come with them or by itself with no bytes.
    func dataReceived(_ stream: HTTP2Stream, bytes: UnsafeRawBufferPointer, endStream: Bool)
    /// The header block after the data; it ends the stream.
    func trailersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers)
    /// The header block was over the limit and is dropped; `headersReceived` does not come. A server answers, or
    /// resets.
    func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool)
    /// The stream's output fell under the low-water mark after `isWritable` was false.
    func streamWritable(_ stream: HTTP2Stream)
    /// The peer resets the stream; `streamClosed` follows. Whether the delegate charges somebody for it; where not the
    /// connection pays.
    func peerReset(_ stream: HTTP2Stream) -> Bool
    /// The request has not ended within the configured time: whether the delegate gives it up. Said once; a stream of messages
    /// may go on.
    func requestOverdue(_ stream: HTTP2Stream) -> Bool
    /// The stream ended, with HTTP/2's error code: 0 when both sides ended it. See
    /// `HTTP2Stream.wasSurelyNotProcessed`.
    func streamClosed(_ stream: HTTP2Stream, errorCode: UInt32)
}

extension HTTP2StreamDelegate {
    package func headerBlockReceived(_ stream: HTTP2Stream, block: HTTP2HeaderBlock, endStream: Bool) {
        headersReceived(stream, headers: HTTP2Headers(block), endStream: endStream)
    }
    package func peerReset(_ stream: HTTP2Stream) -> Bool { false }
    package func requestOverdue(_ stream: HTTP2Stream) -> Bool { false }
}

/// Follows one connection. Called on the loop's thread only; kept by the connection until it is closed.
package protocol HTTP2ConnectionHandler: AnyObject {
    /// The peer opened a stream: who shall follow it. Servers only.
    func streamOpened(_ stream: HTTP2Stream) -> any HTTP2StreamDelegate
    /// The peer's SETTINGS came, the first or changed ones: `availableStreams` may be another.
    func settingsReceived(_ connection: HTTP2Connection)
    /// A stream ended, after its delegate heard of it: `availableStreams` may be more.
    func streamSlotFreed(_ connection: HTTP2Connection)
    /// No further stream can be opened: the peer said GOAWAY, or the connection is drained from here.
    func connectionDraining(_ connection: HTTP2Connection)
    /// The connection is gone, after its streams.
    func connectionClosed(_ connection: HTTP2Connection, error: HTTP2Error)
}

/// What most handlers have no interest in.
extension HTTP2ConnectionHandler {
    package func settingsReceived(_ connection: HTTP2Connection) {}
    package func streamSlotFreed(_ connection: HTTP2Connection) {}
    package func connectionDraining(_ connection: HTTP2Connection) {}
}

/// HTTP/2's error codes, RFC 9113 section 7.
package enum HTTP2ErrorCode {
    package static let noError: UInt32 = 0x0
    package static let protocolError: UInt32 = 0x1
    package static let internalError: UInt32 = 0x2
    package static let flowControlError: UInt32 = 0x3
    package static let settingsTimeout: UInt32 = 0x4
    package static let streamClosed: UInt32 = 0x5
    package static let frameSizeError: UInt32 = 0x6
    package static let refusedStream: UInt32 = 0x7
    package static let cancel: UInt32 = 0x8
    package static let compressionError: UInt32 = 0x9
    package static let connectError: UInt32 = 0xa
    package static let enhanceYourCalm: UInt32 = 0xb
    package static let inadequateSecurity: UInt32 = 0xc
    package static let http11Required: UInt32 = 0xd
}

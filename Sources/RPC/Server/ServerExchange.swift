import HTTP2

/// What a call wants its wire protocol to do when it ends.
struct CallEnd: Sendable {
    /// The last message, framed; the only one of a unary call.
    var message: [UInt8]?
    /// Why the call failed; nil for OK.
    var error: RPCError?
    /// Metadata before the first message, where none was sent yet.
    var initialMetadata = Metadata()
    /// Metadata beside the status.
    var trailingMetadata = Metadata()
}

/// The seam between a call and the wire protocol that carries it, as the call sees it: gRPC over HTTP/2, or none at all
/// within the process. Everything happens on the loop's thread.
///
/// The call gets its headers when it is made.
///
/// A framed message has `MessageDeframer.prefixBytes` for the gRPC prefix before it, filled in, so that gRPC sends it
/// without a copy.
protocol ServerExchange: AnyObject {
    /// The other end's address, for people to read.
    var peer: String { get }
    /// Whether more messages may be sent without piling up; when it turns true again `ServerCall.becameWritable()`
    /// follows.
    var isWritable: Bool { get }
    /// Sends one message; the initial metadata goes before the first.
    func send(_ message: [UInt8], initialMetadata: Metadata)
    /// As `send`, of borrowed bytes.
    func send(_ message: UnsafeRawBufferPointer, initialMetadata: Metadata)
    /// How long the call has surely waited before its headers were read, in nanoseconds.
    var waitedNs: Int64 { get }
    /// The call goes on for as long as its client likes.
    func goesOnForLong()
    /// Gives a call that is followed on the loop the requests that wait for it, as long as it wants more.
    func giveRequests()
    /// Takes no further request: those that arrived are given, then their end, with this error.
    func endRequests(_ error: RPCError)
    /// Sends the end. Nothing follows.
    func finish(_ end: CallEnd)
    /// Sends the one message of a call that succeeded, without any metadata; the bytes are borrowed. Nothing follows.
    func finish(message: UnsafeRawBufferPointer)
    /// Keeps that message, a copy of it, until `finishKept` sends it or another end takes its place.
    func keep(message: UnsafeRawBufferPointer)
    /// Sends what was kept. Nothing follows.
    func finishKept()
    /// Hands out what was kept.
    func takeKept() -> [UInt8]
    /// The handler took messages of so many bytes, and wants more; `idle` says that none is left waiting for it.
    func took(_ byteCount: Int, idle: Bool)
}

extension ServerExchange {
    var waitedNs: Int64 { 0 }

    /// Of interest only to what bounds the calls of a connection.
    func goesOnForLong() {}
}

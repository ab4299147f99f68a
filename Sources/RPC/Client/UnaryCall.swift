import HTTP2

/// The answer of a unary call as it came, in bytes.
package struct UnaryReply: @unchecked Sendable {
    /// The message without its frame.
    package let message: [UInt8]
    /// What came before it, as HTTP/2 headers, so that only who asks pays for making `Metadata` of them.
    let headers: HTTP2Headers
    /// What came after it.
    let trailerHeaders: HTTP2Headers

    /// The metadata before the message; nil where its base64 is broken.
    package var metadata: Metadata? { Metadata(received: headers) }
    /// The metadata after the message; nil where its base64 is broken.
    package var trailers: Metadata? { Metadata(received: trailerHeaders) }
}

/// Takes the end of a unary call, once, on the channel's loop; it must not block.
package typealias UnaryCompletion = @Sendable (Result<UnaryReply, RPCError>) -> Void

/// One request and one answer: one object for the whole call, which is its stream's delegate and its place in the queue.
///
/// Made on any thread, from then on confined to the channel's loop: that is why `@unchecked Sendable` holds.
final class UnaryCall: ChannelCall, @unchecked Sendable {
    private let core: ChannelCore
    private var state: CallState
    /// The framed request, kept until the server has begun to answer, so that it can be sent again.
    private var request: [UInt8]
    /// Gone once called.
    private var completion: UnaryCompletion?

    private var stream: HTTP2Stream?
    private var machine = ResponseMachine()
    private var deframer: MessageDeframer?
    private var message: [UInt8]?
    private var headers = HTTP2Headers()
    var isQueued = false

    init(core: ChannelCore, settings: CallState.Settings, request: [UInt8], completion: @escaping UnaryCompletion) {
        self.core = core
        self.request = request
        self.completion = completion
        state = CallState(settings)
    }

    var waitsForReady: Bool { state.settings.waitsForReady }
    var isOver: Bool { completion == nil }

    /// Begins, on the loop.
    func start() {
        // Cancelled before it began.
        guard completion != nil else { return }
        guard state.startTimer(on: core.loop, { [self] in end(CallState.deadlineExceeded) }) else {
            return end(CallState.deadlineExceeded)
        }
        core.start(self)
    }

    /// The caller gave up.
    func cancel() { end(CallState.cancelled) }

    func open(on connection: ClientConnection) {
        machine = ResponseMachine()
        stream = connection.open(headers: state.headers(on: connection, loop: core.loop), body: request, delegate: self)
        if stream == nil {
            retry(orFailWith: RPCError(code: .unavailable, message: "the connection takes no more calls"))
        }
    }

    func fail(_ error: RPCError) {
        finish(.failure(error))
    }

    // MARK: Ends

    /// Ends the call from this side.
    private func end(_ error: RPCError) {
        guard completion != nil else { return }
        stream?.reset(errorCode: HTTP2ErrorCode.cancel)
        finish(.failure(error))
        core.ended(self)
    }

    /// The server did not begin with the call: sends it again, unless that was done too often.
    private func retry(orFailWith error: RPCError) {
        guard completion != nil else { return }
        stream = nil
        guard state.mayRetry() else { return finish(.failure(error)) }
        core.start(self)
    }

    private func finish(_ result: Result<UnaryReply, RPCError>) {
        guard let completion else { return }
        self.completion = nil
        state.stopTimer(on: core.loop)
        stream = nil
        request = []
        completion(result)
    }

    /// Ends the call as the server's side says.
    private func finish(_ end: ResponseEnd, trailers: HTTP2Headers) {
        // The server still sends what nobody wants, or is still being sent a request that it does not want.
        if let stream, !stream.remoteEnded || stream.bufferedBytes > 0 {
            stream.reset(errorCode: HTTP2ErrorCode.cancel)
        }
        switch end {
        case .ok:
            guard let message else {
                return finish(.failure(RPCError(code: .unimplemented, message: "the server sent no message")))
            }
            finish(.success(UnaryReply(message: message, headers: headers, trailerHeaders: trailers)))
        case .failed(var error):
            error.metadata = Metadata(received: trailers) ?? Metadata()
            finish(.failure(error))
        }
    }
}

extension UnaryCall: HTTP2StreamDelegate {
    func headersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers, endStream: Bool) {
        guard completion != nil else { return }
        let end = machine.head(ResponseHead(headers: headers), endStream: endStream)
        // The server has begun to answer: the call will not be sent again.
        request = []
        self.headers = headers
        if let end { finish(end, trailers: headers) }
    }

    func dataReceived(_ stream: HTTP2Stream, bytes: UnsafeRawBufferPointer, endStream: Bool) {
        // A message is bounded by its own limit, so that the window has nothing to hold back.
        stream.consume(bytes.count)
        guard completion != nil, machine.takesMessages else { return }
        do throws(DeframeError) {
            try take(bytes)
        } catch {
            return finish(machine.broken(error), trailers: HTTP2Headers())
        }
        if endStream, let end = machine.endWithoutTrailers(partialBytes: partialBytes) {
            finish(end, trailers: HTTP2Headers())
        }
    }

    func trailersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers) {
        guard completion != nil else { return }
        let end = machine.trailers(ResponseHead(headers: headers), partialBytes: partialBytes)
        if let end { finish(end, trailers: headers) }
    }

    func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) {
        end(RPCError(code: .resourceExhausted, message: "the server sent more metadata than is taken here"))
    }

    /// The request was handed over whole when the call began.
    func streamWritable(_ stream: HTTP2Stream) {}

    func streamClosed(_ stream: HTTP2Stream, errorCode: UInt32) {
        // The stream of an attempt before this one says nothing new.
        guard completion != nil, self.stream === stream else { return }
        let mayRepeat = stream.wasSurelyNotProcessed && !machine.isCommitted
        guard let error = machine.closed(errorCode: errorCode, connectionError: stream.connectionError) else { return }
        if mayRepeat { retry(orFailWith: error) } else { finish(.failure(error)) }
    }

    /// Bytes of a message that is not whole.
    private var partialBytes: Int { deframer?.pendingBytes ?? 0 }

    /// Takes what came: nearly always one piece that is the whole message.
    private func take(_ bytes: UnsafeRawBufferPointer) throws(DeframeError) {
        let limit = state.settings.maxResponseBytes
        if deframer == nil, message == nil, let whole = try MessageDeframer.single(in: bytes, limit: limit) {
            message = Array(whole)
            return
        }
        var deframer = self.deframer ?? MessageDeframer(limit: limit)
        self.deframer = nil
        deframer.push(bytes)
        while let next = try deframer.next() {
            if message != nil { return end(Self.secondMessage) }
            message = next
        }
        self.deframer = deframer
    }

    private static var secondMessage: RPCError {
        RPCError(code: .unimplemented, message: "the server sent more than one message")
    }
}

import Protobuf

/// One open streaming call, in bytes: each array is one message without its frame.
///
/// `ClientChannel` makes these over HTTP/2. A fake channel may make its own. At most one task sends and one receives at a time.
public protocol CallStream: AnyObject, Sendable {
    /// Hands over one message. Returns when the stream can take more, which is the back-pressure.
    func send(_ message: [UInt8]) async throws(RPCError)
    /// Says that no message follows.
    func finishSending()
    /// The next message; nil after the last one when the call ended with status OK.
    func receive() async throws(RPCError) -> [UInt8]?
    /// What the server sent before its first message.
    func initialMetadata() async throws(RPCError) -> Metadata
    /// What the server sent after its last message; empty before the call ended.
    var trailers: Metadata { get }
    /// Ends the call with CANCELLED and tells the server.
    func cancel()
}

/// The answers of a streaming call, in their order. Taking one lets the server send more.
///
/// ```swift
/// for try await balance in credits.watchBalance(request) { show(balance) }
/// ```
/// Letting go of the stream before its end cancels the call.
public struct ResponseStream<Response: Message>: AsyncSequence, Sendable {
    public typealias Element = Response
    public typealias Failure = RPCError

    @usableFromInline let stream: any CallStream

    /// A stream of messages over a stream of bytes.
    public init(_ stream: any CallStream) {
        self.stream = stream
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(stream: stream)
    }

    /// What the server sent before its first message.
    public func initialMetadata() async throws(RPCError) -> Metadata {
        try await stream.initialMetadata()
    }

    /// What the server sent after its last message; empty before the end.
    public var trailers: Metadata { stream.trailers }

    /// Ends the call.
    public func cancel() { stream.cancel() }

    /// Takes one answer after the other from the call.
    public struct AsyncIterator: AsyncIteratorProtocol {
        @usableFromInline let stream: any CallStream

        public mutating func next() async throws(RPCError) -> Response? {
            try await next(isolation: nil)
        }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(RPCError) -> Response? {
            guard let bytes = try await stream.receive() else { return nil }
            do throws(RPCError) {
                return try decodeResponse(bytes)
            } catch {
                // The rest cannot be told apart from nonsense either.
                stream.cancel()
                throw error
            }
        }
    }
}

/// A call with many requests and one answer.
///
/// ```swift
/// let upload: ClientStreamingCall<Chunk, Receipt> = channel.clientStreaming(method, options: CallOptions())
/// for chunk in chunks { try await upload.send(chunk) }
/// let receipt = try await upload.finish()
/// ```
public struct ClientStreamingCall<Request: Message, Response: Message>: Sendable {
    let stream: any CallStream

    /// A call over a stream of bytes.
    public init(_ stream: any CallStream) {
        self.stream = stream
    }

    /// Sends one request; returns when the stream can take the next.
    public func send(_ request: Request) async throws(RPCError) {
        try await stream.send(request.wireBytes())
    }

    /// Says that no request follows, and waits for the answer.
    public func finish() async throws(RPCError) -> Response {
        stream.finishSending()
        guard let bytes = try await stream.receive() else {
            throw RPCError(code: .unimplemented, message: "the server sent no message")
        }
        let response: Response = try decodeResponse(bytes)
        guard try await stream.receive() == nil else {
            stream.cancel()
            throw RPCError(code: .unimplemented, message: "the server sent more than one message")
        }
        return response
    }

    /// What the server sent after its message.
    public var trailers: Metadata { stream.trailers }

    /// Ends the call.
    public func cancel() { stream.cancel() }
}

/// A call with many requests and many answers.
///
/// ```swift
/// let meter: BidirectionalCall<MeterRequest, MeterResponse> = channel.bidirectional(method, options: CallOptions())
/// try await meter.send(step)
/// meter.finishSending()
/// for try await answer in meter.responses { handle(answer) }
/// ```
public struct BidirectionalCall<Request: Message, Response: Message>: Sendable {
    let stream: any CallStream

    /// A call over a stream of bytes.
    public init(_ stream: any CallStream) {
        self.stream = stream
    }

    /// The answers, to be read while requests are still being sent.
    public var responses: ResponseStream<Response> { ResponseStream(stream) }

    /// Sends one request; returns when the stream can take the next.
    public func send(_ request: Request) async throws(RPCError) {
        try await stream.send(request.wireBytes())
    }

    /// Says that no request follows.
    public func finishSending() { stream.finishSending() }

    /// Ends the call.
    public func cancel() { stream.cancel() }
}

/// Turns the bytes of an answer into its message; what is no such message is INTERNAL.
func decodeResponse<Response: Message>(_ bytes: [UInt8]) throws(RPCError) -> Response {
    do throws(WireError) {
        return try Response(wireBytes: bytes)
    } catch {
        throw RPCError(code: .internal, message: "the response is not a \(Response.messageName): \(error)")
    }
}

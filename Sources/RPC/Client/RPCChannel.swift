import Protobuf

/// What a generated stub calls: the four shapes of a gRPC call, over messages.
///
/// `ClientChannel` is the real one; a test may hand a stub its own. A streaming call is returned at once and opens in the
/// background; whatever went wrong is thrown by its first `send` or `receive`.
public protocol RPCChannel: Sendable {
    /// One request, one answer.
    func unary<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions
    ) async throws(RPCError) -> UnaryResponse<Response>

    /// Many requests, one answer.
    func clientStreaming<Request: Message, Response: Message>(
        _ method: MethodDescriptor, options: CallOptions
    ) -> ClientStreamingCall<Request, Response>

    /// One request, many answers.
    func serverStreaming<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions
    ) -> ResponseStream<Response>

    /// Many requests and many answers, each side at its own pace.
    func bidirectional<Request: Message, Response: Message>(
        _ method: MethodDescriptor, options: CallOptions
    ) -> BidirectionalCall<Request, Response>
}

extension RPCChannel {
    /// One request, one answer, without the metadata that came along.
    @inlinable
    public func unary<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions = CallOptions()
    ) async throws(RPCError) -> Response {
        let response: UnaryResponse<Response> = try await unary(method, request, options: options)
        return response.message
    }
}

/// The answer of a unary call with the metadata before and after it.
public struct UnaryResponse<Response: Message>: Sendable {
    /// The message itself.
    public var message: Response
    /// What the server sent before its message.
    public var metadata: Metadata
    /// What the server sent after its message, the status apart.
    public var trailers: Metadata

    /// An answer put together by hand, as a fake channel does.
    public init(message: Response, metadata: Metadata = Metadata(), trailers: Metadata = Metadata()) {
        self.message = message
        self.metadata = metadata
        self.trailers = trailers
    }
}

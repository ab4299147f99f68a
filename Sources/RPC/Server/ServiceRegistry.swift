import Protobuf

/// The methods that a server answers. It is filled before the server starts, by generated code for the most part.
///
/// A message that cannot be decoded ends its call with INTERNAL; a unary call without exactly one request with
/// UNIMPLEMENTED.
public final class ServiceRegistry {
    /// What was registered, in order.
    package private(set) var methods: [RegisteredMethod] = []

    /// An empty registry.
    public init() {}

    /// All registered methods.
    public var descriptors: [MethodDescriptor] { methods.map(\.descriptor) }

    /// The full names of the registered services, each once, in the order of their first method.
    public var services: [String] {
        var seen: Set<String> = []
        return methods.map(\.descriptor.service).filter { seen.insert($0).inserted }
    }

    /// A unary method whose handler runs on the event loop's thread. It must not block, and answers through the call,
    /// at once or later and from any thread.
    @inlinable
    public func direct<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ handler: @escaping @Sendable (Request, DirectCall<Response>) -> Void
    ) {
        addDirect(method) { bytes, call in
            do throws(WireError) {
                let request = try Request(wireBytes: bytes)
                handler(request, DirectCall(call))
            } catch {
                call.complete(undecodable(Request.self, error))
            }
        }
    }

    /// As `direct`, for a handler that reads the request by itself, where it lies: `bytes` are valid only within the call.
    /// What it throws ends the call as a message that cannot be decoded does.
    @inlinable
    package func direct<Request: Message, Response: Message>(
        _ method: MethodDescriptor, reading request: Request.Type,
        _ handler: @escaping @Sendable (_ bytes: UnsafeRawBufferPointer, DirectCall<Response>) throws(WireError) -> Void
    ) {
        addDirect(method) { bytes, call in
            let answer = DirectCall<Response>(call)
            do throws(WireError) {
                try handler(bytes, answer)
            } catch {
                answer.fail(undecodable(Request.self, error))
            }
        }
    }

    /// The same, where the handler answers the call itself: it prepares an answer, or completes the call, once and in any case.
    /// Nothing is made for the call beside it.
    package func bare<Request: Message>(
        _ method: MethodDescriptor, reading request: Request.Type,
        _ handler: @escaping @Sendable (_ bytes: UnsafeRawBufferPointer, ServerCall) throws(WireError) -> Void
    ) {
        addDirect(method) { bytes, call in
            do throws(WireError) {
                try handler(bytes, call)
            } catch {
                call.complete(undecodable(Request.self, error))
            }
        }
    }

    /// A unary method whose handler runs in a task of its own.
    public func unary<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ handler: @escaping @Sendable (Request, ServerContext) async throws -> Response
    ) {
        add(
            method, shape: .unary,
            .unary { bytes, call in
                let response = try await handler(decodeRequest(bytes), call.context)
                return try call.frame(response)
            })
    }

    /// A method with many requests and one response.
    public func clientStreaming<Request: Message, Response: Message>(
        _ method: MethodDescriptor,
        _ handler: @escaping @Sendable (RequestStream<Request>, ServerContext) async throws -> Response
    ) {
        add(
            method, shape: .clientStreaming,
            .streaming { call, requests, _ in
                let response = try await handler(RequestStream(requests), call.context)
                return try call.frame(response)
            })
    }

    /// A method with one request and many responses.
    public func serverStreaming<Request: Message, Response: Message>(
        _ method: MethodDescriptor,
        _ handler: @escaping @Sendable (Request, ResponseWriter<Response>, ServerContext) async throws -> Void
    ) {
        add(
            method, shape: .serverStreaming,
            .serverStreaming { bytes, call, responses in
                try await handler(decodeRequest(bytes), ResponseWriter(call, responses), call.context)
            })
    }

    /// A method with many requests and many responses.
    public func bidirectional<Request: Message, Response: Message>(
        _ method: MethodDescriptor,
        _ handler:
            @escaping @Sendable (RequestStream<Request>, ResponseWriter<Response>, ServerContext) async throws -> Void
    ) {
        add(
            method, shape: .bidirectional,
            .streaming { call, requests, responses in
                try await handler(RequestStream(requests), ResponseWriter(call, responses), call.context)
                return nil
            })
    }

    /// A method with many requests and many responses whose handler follows the call on the event loop's thread.
    package func directStream(
        _ method: MethodDescriptor,
        _ make: @escaping @Sendable (DirectStream) throws(RPCError) -> any DirectStreamHandler
    ) {
        add(method, shape: .bidirectional, .directStreaming(make))
    }

    /// As `direct`, over bytes: what its inlined half becomes.
    @usableFromInline
    func addDirect(
        _ method: MethodDescriptor, _ handler: @escaping @Sendable (UnsafeRawBufferPointer, ServerCall) -> Void
    ) {
        add(method, shape: .unary, .direct(handler))
    }

    /// Registers a handler; a method that is there already, or of another shape, is a fault of the program.
    private func add(_ method: MethodDescriptor, shape: CallShape, _ handler: MethodHandler) {
        precondition(method.shape == shape, "\(method.path) is not \(shape).")
        precondition(!methods.contains { $0.descriptor.path == method.path }, "\(method.path) is registered twice.")
        methods.append(RegisteredMethod(method, handler))
    }
}

/// What the caller of an undecodable request is told.
@usableFromInline
package func undecodable<Request: Message>(_ type: Request.Type, _ error: WireError) -> RPCError {
    RPCError(code: .internal, message: "the request is not a \(Request.messageName)", cause: error)
}

/// Turns the bytes of a request into its message.
func decodeRequest<Request: Message>(_ bytes: [UInt8]) throws(RPCError) -> Request {
    do throws(WireError) {
        return try Request(wireBytes: bytes)
    } catch {
        throw undecodable(Request.self, error)
    }
}

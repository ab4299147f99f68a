import HTTP2
import Protobuf

/// A client's way to one service on one or several servers: calls of all shapes over one shared connection to each.
///
/// ```swift
/// let channel = ClientChannel(endpoints: [Endpoint(host: "127.0.0.1", port: 7070)])
/// let metering = MeteringClient(channel)
/// let answer = try await metering.reserve(request, options: CallOptions(timeout: .seconds(2)))
/// ```
/// Connections are made when the first call wants one. Several endpoints take turns (round robin) as long as they are
/// connected; one that is lost is left out and tried again, ever more seldom. A call waits for an attempt that is under
/// way, and fails with UNAVAILABLE when none is left, unless it waits for ready. Calls wait, up to a bound, while the
/// servers take no more of them at once.
///
/// A call is sent again by itself only where the server surely did not begin with it; what else to repeat is the
/// caller's to decide. Cancelling the task that waits for a call cancels the call at the server too.
public final class ClientChannel: RPCChannel, Sendable {
    private let core: ChannelCore

    /// A channel to these servers, at least one and at most 64.
    public convenience init(endpoints: [Endpoint], configuration: ClientConfiguration = ClientConfiguration()) {
        self.init(endpoints: endpoints, configuration: configuration, loop: SharedLoop.loop)
    }

    /// A channel on a loop of the caller's choice, which must outlive it.
    package init(endpoints: [Endpoint], configuration: ClientConfiguration = ClientConfiguration(), loop: EventLoop) {
        core = ChannelCore(endpoints: endpoints, configuration: configuration, loop: loop)
    }

    deinit { close() }

    /// Ends the connections at once. Calls under way, and all later ones, fail with UNAVAILABLE.
    public func close() {
        core.loop.execute { [core] in core.close() }
    }

    // MARK: Unary calls

    /// Starts a unary call and returns; the completion gets its end on the channel's loop. The cheapest way to make very many
    /// calls: no task, and from the loop itself, as in another call's completion, no hop either.
    ///
    /// - Parameters:
    ///   - request: The request with its gRPC prefix, as `MessageFraming` makes it.
    /// - Returns: Something to cancel the call by.
    @discardableResult
    package func startUnary(
        _ method: MethodDescriptor, framed request: [UInt8], options: CallOptions = CallOptions(),
        completion: @escaping UnaryCompletion
    ) -> UnaryHandle {
        let settings: CallState.Settings
        do throws(RPCError) {
            settings = try CallState.Settings(method: method, options: options, configuration: core.configuration)
        } catch {
            core.loop.execute { completion(.failure(error)) }
            return UnaryHandle(call: nil, core: core)
        }
        let call = UnaryCall(core: core, settings: settings, request: request, completion: completion)
        if core.loop.inLoop {
            call.start()
        } else {
            core.loop.execute { call.start() }
        }
        return UnaryHandle(call: call, core: core)
    }

    /// As above, from a message.
    @discardableResult
    package func startUnary<Request: Message>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions = CallOptions(),
        completion: @escaping UnaryCompletion
    ) -> UnaryHandle {
        startUnary(method, framed: MessageFraming.frame(request), options: options, completion: completion)
    }

    public func unary<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions
    ) async throws(RPCError) -> UnaryResponse<Response> {
        let frame = MessageFraming.frame(request)
        let canceller = UnaryCanceller()
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Result<UnaryReply, RPCError>, Never>) in
                let handle = startUnary(method, framed: frame, options: options) { continuation.resume(returning: $0) }
                canceller.started(handle)
            }
        } onCancel: {
            canceller.cancel()
        }
        let reply = try result.get()
        let message: Response = try decodeResponse(reply.message)
        guard let metadata = reply.metadata, let trailers = reply.trailers else { throw CallState.brokenMetadata }
        return UnaryResponse(message: message, metadata: metadata, trailers: trailers)
    }

    // MARK: Streaming calls

    public func clientStreaming<Request: Message, Response: Message>(
        _ method: MethodDescriptor, options: CallOptions
    ) -> ClientStreamingCall<Request, Response> {
        ClientStreamingCall(open(method, options: options))
    }

    public func serverStreaming<Request: Message, Response: Message>(
        _ method: MethodDescriptor, _ request: Request, options: CallOptions
    ) -> ResponseStream<Response> {
        ResponseStream(open(method, options: options, onlyRequest: MessageFraming.frame(request)))
    }

    public func bidirectional<Request: Message, Response: Message>(
        _ method: MethodDescriptor, options: CallOptions
    ) -> BidirectionalCall<Request, Response> {
        BidirectionalCall(open(method, options: options))
    }

    /// Starts a streaming call in bytes.
    package func open(
        _ method: MethodDescriptor, options: CallOptions, onlyRequest: [UInt8]? = nil
    ) -> any CallStream {
        do throws(RPCError) {
            let settings = try CallState.Settings(method: method, options: options, configuration: core.configuration)
            let call = StreamingCall(core: core, settings: settings)
            if let onlyRequest { call.sendOnly(onlyRequest) }
            core.loop.execute { call.start() }
            return StreamHandle(call)
        } catch {
            return RefusedStream(error)
        }
    }
}

/// A unary call as its starter sees it.
package struct UnaryHandle: Sendable {
    fileprivate let call: UnaryCall?
    fileprivate let core: ChannelCore

    /// Ends the call with CANCELLED, unless it has ended, and tells the server. From any thread.
    package func cancel() {
        guard let call else { return }
        core.loop.execute { call.cancel() }
    }
}

/// The one thread on which the channels of a process have their connections, unless they are given another.
private enum SharedLoop {
    static let loop: EventLoop = {
        do throws(HTTP2Error) {
            let loop = try EventLoop(name: "tollgate-rpc")
            try loop.start()
            return loop
        } catch {
            // Without descriptors or threads for one loop no call can ever be made.
            fatalError("The event loop of gRPC clients cannot be made: \(error)")
        }
    }()
}

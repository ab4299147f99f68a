import HTTP2
import Locks
import Protobuf
import RPC

/// A real server on a port of its own, and one HTTP/2 connection to it.
final class SocketServer: TestServer {
    let echo = EchoService()
    /// The server itself.
    let server: RPCServer
    /// Where it listens.
    let address: SocketAddress
    private let loop: EventLoop
    private let connection: HTTP2Connection

    init(_ configuration: RPCServerConfiguration, _ interceptors: [any ServerInterceptor] = []) async throws {
        let registry = ServiceRegistry()
        echo.register(in: registry)
        let health = HealthStatus()
        HealthReporter(health).register(in: registry)
        server = RPCServer(
            registry: registry, interceptors: interceptors, configuration: configuration, health: health)
        address = try server.start()
        loop = try EventLoop(name: "test-client")
        try loop.start()
        connection = try await SocketServer.connect(loop, address)
    }

    /// A new connection to an address.
    static func connect(_ loop: EventLoop, _ address: SocketAddress) async throws -> HTTP2Connection {
        let result = await withCheckedContinuation { continuation in
            HTTP2ClientConnector.connect(
                loop: loop, host: address.host, port: address.port, timeoutNs: 10_000_000_000,
                makeHandler: { _ in ClientHandler() }, completion: { continuation.resume(returning: $0) })
        }
        return try result.get()
    }

    func open(_ method: MethodDescriptor, metadata: Metadata, timeoutNs: Int64?) async -> any TestCall {
        var fields: [(String, String)] = [(":path", method.path)]
        if let timeoutNs { fields.append(("grpc-timeout", CallTimeout.format(nanoseconds: timeoutNs))) }
        for entry in metadata.entries { fields.append((entry.key, entry.wireValue)) }
        return await open(fields)
    }

    /// Begins a call with these headers in place of or beside the usual ones; an empty value leaves a usual one out.
    func open(_ fields: [(name: String, value: String)], consumes: Bool = true) async -> SocketCall {
        let usual = [
            (":method", "POST"), (":scheme", "http"), (":path", EchoService.direct.path), (":authority", "test"),
            ("te", "trailers"), ("content-type", "application/grpc"),
        ]
        var headers = HTTP2Headers()
        for (name, value) in usual {
            let other = name.hasPrefix(":") ? fields.first { $0.name == name }?.value : nil
            if name.hasPrefix(":") || !fields.contains(where: { $0.name == name }) {
                headers.add(name: name, value: other ?? value)
            }
        }
        for field in fields where !field.name.hasPrefix(":") {
            if field.value.isEmpty, usual.contains(where: { $0.0 == field.name }) { continue }
            headers.add(name: field.name, value: field.value)
        }
        let (call, loop, connection) = (SocketCall(loop, consumes: consumes), loop, connection)
        loop.execute { [headers] in call.open(on: connection, headers) }
        return call
    }

    func stop() async {
        // They hold their calls, which hold the server.
        echo.forgetFollowers()
        server.stop()
        loop.stop()
        loop.join()
    }
}

/// Follows a client's connection and is interested in nothing.
private final class ClientHandler: HTTP2ConnectionHandler {
    func streamOpened(_ stream: HTTP2Stream) -> any HTTP2StreamDelegate {
        fatalError("a client's peer opens no streams")
    }
    func connectionClosed(_ connection: HTTP2Connection, error: HTTP2Error) {}
}

/// One call over HTTP/2, seen from the client. Its mutable state belongs to the loop's thread.
final class SocketCall: HTTP2StreamDelegate, TestCall, @unchecked Sendable {
    let events: AsyncStream<CallEvent>
    /// What came beside gRPC's own: the HTTP status, the whole of all header blocks, the body as it is, and how the
    /// stream ended.
    struct Raw: Sendable {
        var status = ""
        var headers: [(name: String, value: String)] = []
        var body: [UInt8] = []
        var errorCode: UInt32?
    }
    private let rawState = Protected(Raw())
    private let loop: EventLoop
    private let continuation: AsyncStream<CallEvent>.Continuation
    private var stream: HTTP2Stream?
    private var deframer = MessageDeframer(limit: 64 << 20)
    private var hasEnded = false
    /// Whether received bytes give the server new room at once; otherwise never.
    let consumes: Bool

    var raw: Raw { rawState.withLock { $0 } }

    init(_ loop: EventLoop, consumes: Bool = true) {
        self.loop = loop
        self.consumes = consumes
        (events, continuation) = AsyncStream<CallEvent>.makeStream()
    }

    func open(on connection: HTTP2Connection, _ headers: HTTP2Headers) {
        do throws(HTTP2Error) {
            stream = try connection.openStream(headers: headers, endStream: false, delegate: self)
        } catch {
            continuation.yield(.lost)
            continuation.finish()
        }
    }

    // MARK: The caller

    func send(framed: [UInt8]) { loop.execute { [self] in stream?.sendData(framed) } }

    func end() { loop.execute { [self] in stream?.sendData([], endStream: true) } }

    func cancel() { loop.execute { [self] in stream?.reset(errorCode: HTTP2ErrorCode.cancel) } }

    // MARK: From HTTP/2

    func headersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers, endStream: Bool) {
        note(headers)
        if endStream { finish(headers) } else { continuation.yield(.initialMetadata(metadata(headers))) }
    }

    func dataReceived(_ stream: HTTP2Stream, bytes: UnsafeRawBufferPointer, endStream: Bool) {
        if consumes { stream.consume(bytes.count) }
        rawState.withLock { $0.body += bytes }
        guard rawState.withLock({ $0.headers.contains { $0.name == "content-type" && $0.value == "application/grpc" } })
        else { return }
        deframer.push(bytes)
        while let message = try! deframer.next() { continuation.yield(.message(try! EchoMessage(wireBytes: message))) }
    }

    func trailersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers) {
        note(headers)
        finish(headers)
    }

    func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) { stream.reset(errorCode: HTTP2ErrorCode.cancel) }

    func streamWritable(_ stream: HTTP2Stream) {}

    func streamClosed(_ stream: HTTP2Stream, errorCode: UInt32) {
        rawState.withLock { $0.errorCode = errorCode }
        if !hasEnded { continuation.yield(.lost) }
        continuation.finish()
        self.stream = nil
    }

    private func note(_ headers: HTTP2Headers) {
        rawState.withLock { raw in
            for pair in headers.pairs {
                if pair.name == ":status" { raw.status = pair.value }
                raw.headers.append(pair)
            }
        }
    }

    private func metadata(_ headers: HTTP2Headers) -> Metadata {
        var metadata = Metadata()
        for pair in headers.pairs { _ = metadata.addReceived(name: pair.name, value: pair.value) }
        return metadata
    }

    private func finish(_ headers: HTTP2Headers) {
        hasEnded = true
        guard let code = headers.value(of: "grpc-status").flatMap({ Int($0) }).flatMap(RPCStatusCode.init(rawValue:))
        else {
            continuation.yield(.lost)
            return
        }
        let details = headers.value(of: "grpc-status-details-bin").flatMap { Base64.decode($0.utf8) }
        let status = details.flatMap { try? Status(wireBytes: $0) }
        continuation.yield(
            .end(
                code, message: PercentEncoding.decode(headers.value(of: "grpc-message") ?? ""),
                trailers: metadata(headers), details: status?.details ?? []))
    }
}

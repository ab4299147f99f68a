import HTTP2

/// Answers each request with its own body, between headers and trailers like gRPC's: what our HTTP/2 costs by itself.
final class BareEchoServer {
    private let loop: EventLoop
    private let listener: HTTP2Listener

    /// Listens on loopback; port 0 picks a free one.
    init(port: Int) throws(HTTP2Error) {
        loop = try EventLoop(name: "echo")
        listener = try HTTP2Listener(loops: [loop], host: "127.0.0.1", port: port) { _ in EchoConnection() }
    }

    /// Begins to answer, and says where.
    func start() throws(HTTP2Error) -> SocketAddress {
        try loop.start()
        listener.start()
        return listener.localAddress
    }

    func stop() {
        listener.stop()
        loop.stop()
        loop.join()
    }
}

/// Gives each stream its echo.
private final class EchoConnection: HTTP2ConnectionHandler {
    func streamOpened(_ stream: HTTP2Stream) -> any HTTP2StreamDelegate { EchoStream() }

    func connectionClosed(_ connection: HTTP2Connection, error: HTTP2Error) {}
}

/// One request: gathers its body and sends it back.
private final class EchoStream: HTTP2StreamDelegate {
    private static let headers = constant([(":status", "200"), ("content-type", "application/grpc")])
    private static let trailers = constant([("grpc-status", "0")])

    /// What came before the last piece.
    private var body: [UInt8] = []

    func headersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers, endStream: Bool) {
        if endStream { answer(stream) }
    }

    /// The echo looks at no field, and so needs no copy of them.
    func headerBlockReceived(_ stream: HTTP2Stream, block: HTTP2HeaderBlock, endStream: Bool) {
        if endStream { answer(stream) }
    }

    func dataReceived(_ stream: HTTP2Stream, bytes: UnsafeRawBufferPointer, endStream: Bool) {
        stream.consume(bytes.count)
        if endStream, body.isEmpty {
            return stream.respond(headers: Self.headers, body: bytes, trailers: Self.trailers)
        }
        body.append(contentsOf: bytes)
        if endStream { answer(stream) }
    }

    func trailersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers) { answer(stream) }

    func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) {
        stream.reset(errorCode: HTTP2ErrorCode.enhanceYourCalm)
    }

    func streamWritable(_ stream: HTTP2Stream) {}

    func streamClosed(_ stream: HTTP2Stream, errorCode: UInt32) {}

    private func answer(_ stream: HTTP2Stream) {
        stream.respond(headers: Self.headers, body: body, trailers: Self.trailers)
    }

    private static func constant(_ fields: [(name: String, value: String)]) -> HTTP2ConstantHeaders {
        var headers = HTTP2Headers()
        for field in fields { headers.add(name: field.name, value: field.value) }
        return HTTP2ConstantHeaders(headers)
    }
}

import HTTP2
import Locks

/// Our client on a loop of its own, with calls as async functions.
final class TestClient: Sendable {
    let loop: EventLoop
    let log = EventLog()
    let connection: HTTP2Connection

    init(
        port: Int, host: String = "127.0.0.1", timeoutNs: Int64 = 10_000_000_000,
        configure: (inout HTTP2Configuration) -> Void = { _ in }
    ) async throws {
        var configuration = HTTP2Configuration()
        configure(&configuration)
        let loop = try EventLoop(name: "client")
        try loop.start()
        self.loop = loop
        let log = log
        let result = await withCheckedContinuation { (done: CheckedContinuation<Connected, Never>) in
            HTTP2ClientConnector.connect(
                loop: loop, host: host, port: port, configuration: configuration, timeoutNs: timeoutNs,
                makeHandler: { TestConnectionHandler(connection: $0, log: log) },
                completion: { done.resume(returning: $0) })
        }
        do {
            connection = try result.get()
        } catch {
            loop.stop()
            loop.join()
            throw error
        }
    }

    typealias Connected = Result<HTTP2Connection, HTTP2Error>

    /// Does something on the loop's thread and answers its result.
    func onLoop<Value: Sendable>(_ work: @escaping @Sendable (HTTP2Connection) -> Value) async -> Value {
        await withCheckedContinuation { done in
            loop.execute { [connection] in done.resume(returning: work(connection)) }
        }
    }

    /// One whole call.
    func call(_ path: String, body: [UInt8] = [], endStream: Bool = true) async -> CallResult {
        let call = await open(path, body: body, endStream: endStream)
        return await call.result()
    }

    /// Begins a call.
    func open(_ path: String, body: [UInt8] = [], endStream: Bool = true, consumes: Bool = true) async -> ClientCall {
        let call = ClientCall(loop: loop, consumes: consumes)
        await onLoop { connection in
            do throws(HTTP2Error) {
                call.stream = try connection.openStream(
                    headers: requestHeaders(path), body: body, endStream: endStream, delegate: call)
            } catch {
                call.finish(.init(connectionError: error, wasSurelyNotProcessed: true))
            }
        }
        return call
    }

    func stop() {
        loop.stop()
        loop.join()
    }
}

/// A request shaped like gRPC's.
func requestHeaders(_ path: String) -> HTTP2Headers {
    var headers = HTTP2Headers()
    headers.add(":method", "POST")
    headers.add(":scheme", "http")
    headers.add(name: ":path", value: path)
    headers.add(":authority", "test")
    headers.add("content-type", "application/grpc")
    headers.add("te", "trailers")
    return headers
}

/// What came of a call.
struct CallResult: Sendable {
    var headers: HTTP2Headers?
    var body: [UInt8] = []
    var trailers: HTTP2Headers?
    var endedWithHeaders = false
    var errorCode: UInt32 = 0
    var connectionError: HTTP2Error?
    var wasSurelyNotProcessed = false
}

/// One call of `TestClient`. Confined to the loop save for the lock's content.
final class ClientCall: HTTP2StreamDelegate, @unchecked Sendable {
    private enum State {
        case running, awaited(CheckedContinuation<CallResult, Never>), finished(CallResult)
    }

    private let loop: EventLoop
    private let consumes: Bool
    private var soFar = CallResult()
    private let state = Protected(State.running)
    private let received = Protected(0)
    var stream: HTTP2Stream?

    init(loop: EventLoop, consumes: Bool) {
        self.loop = loop
        self.consumes = consumes
    }

    /// Bytes of the body so far.
    var receivedBytes: Int { received.withLock { $0 } }

    func result() async -> CallResult {
        await withCheckedContinuation { continuation in
            let finished: CallResult? = state.withLock { state in
                if case .finished(let result) = state { return result }
                state = .awaited(continuation)
                return nil
            }
            if let finished { continuation.resume(returning: finished) }
        }
    }

    /// Does something with the stream on its loop.
    func onLoop<Value: Sendable>(_ work: @escaping @Sendable (HTTP2Stream) -> Value) async -> Value {
        await withCheckedContinuation { done in
            loop.execute { [self] in done.resume(returning: work(stream!)) }
        }
    }

    func finish(_ result: CallResult) {
        let waiting: CheckedContinuation<CallResult, Never>? = state.withLock { state in
            defer { state = .finished(result) }
            if case .awaited(let continuation) = state { return continuation }
            return nil
        }
        waiting?.resume(returning: result)
    }

    func headersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers, endStream: Bool) {
        soFar.headers = headers
        soFar.endedWithHeaders = endStream
    }

    func dataReceived(_ stream: HTTP2Stream, bytes: UnsafeRawBufferPointer, endStream: Bool) {
        soFar.body.append(contentsOf: bytes)
        received.withLock { $0 += bytes.count }
        if consumes { stream.consume(bytes.count) }
    }

    func trailersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers) { soFar.trailers = headers }

    func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) {
        stream.reset(errorCode: HTTP2ErrorCode.enhanceYourCalm)
    }

    func streamWritable(_ stream: HTTP2Stream) {}

    func streamClosed(_ stream: HTTP2Stream, errorCode: UInt32) {
        soFar.errorCode = errorCode
        soFar.connectionError = stream.connectionError
        soFar.wasSurelyNotProcessed = stream.wasSurelyNotProcessed
        self.stream = nil
        finish(soFar)
    }
}

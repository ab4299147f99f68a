import Glibc
import HTTP2
import Locks

/// A server on a free port of loopback, with answers picked by `:path`, that ends with its owner's `stop`.
final class TestServer: Sendable {
    let loops: [EventLoop]
    let listener: HTTP2Listener
    /// What streams saw, for tests to wait for.
    let log = EventLog()
    private let connections = ConnectionList()

    init(
        loops count: Int = 1, host: String = "127.0.0.1", configure: (inout HTTP2Configuration) -> Void = { _ in }
    ) throws {
        var configuration = HTTP2Configuration()
        configure(&configuration)
        loops = try (0..<count).map { try EventLoop(name: "test-\($0)") }
        for loop in loops { try loop.start() }
        let metrics = HTTP2Metrics { [log] in log.add("cut off \($0.reason) \($0.peer.split(separator: ":")[0])") }
        listener = try HTTP2Listener(loops: loops, host: host, port: 0, configuration: configuration, metrics: metrics)
        {
            [log, connections] connection in
            connections.withLock { $0.append(WeakConnection(connection: connection)) }
            return TestConnectionHandler(connection: connection, log: log)
        }
        listener.start()
    }

    var port: Int { listener.localAddress.port }
    var metrics: HTTP2Metrics { listener.metrics }

    /// How many of the connections ever accepted are still in memory.
    var connectionsInMemory: Int { connections.withLock { $0.count { $0.connection != nil } } }

    func stop() async {
        await withCheckedContinuation { done in listener.stop { done.resume() } }
        for loop in loops { loop.stop() }
        for loop in loops { loop.join() }
    }
}

extension TestServer {
    /// A server for as long as the body runs: it is stopped whatever comes of that.
    static func with(
        loops: Int = 1, host: String = "127.0.0.1", _ configure: (inout HTTP2Configuration) -> Void = { _ in },
        _ body: (TestServer) async throws -> Void
    ) async throws {
        let server = try TestServer(loops: loops, host: host, configure: configure)
        do {
            try await body(server)
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    /// For raw peers, which ping often to know where they are; the tests of strikes set their own intervals.
    static func withRawPeers(
        _ configure: (inout HTTP2Configuration) -> Void = { _ in }, _ body: (TestServer) async throws -> Void
    ) async throws {
        try await with(
            {
                $0.keepalive.peerPingIntervalMinNs = 0
                $0.keepalive.peerPingIntervalIdleMinNs = 0
                configure(&$0)
            }, body)
    }
}

/// Tells whether a connection is still in memory.
struct WeakConnection: Sendable {
    weak var connection: HTTP2Connection?
}

/// The connections that a server made.
final class ConnectionList: Sendable {
    private let list = Protected<[WeakConnection]>([])

    func withLock<Value: Sendable>(_ body: (inout [WeakConnection]) -> Value) -> Value { list.withLock { body(&$0) } }
}

/// What happened, in words, with a way to wait for a word.
final class EventLog: Sendable {
    private let words = Protected<[String]>([])

    func add(_ word: String) { words.withLock { $0.append(word) } }

    var all: [String] { words.withLock { $0 } }

    /// Waits until the word was added; false after ten seconds.
    func has(_ word: String) async -> Bool { await eventually { self.all.contains(word) } }
}

/// Waits until the condition holds; false after ten seconds, which only a broken build takes.
func eventually(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<5_000 {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return condition()
}

/// Gives each stream its delegate and logs the connection's end.
final class TestConnectionHandler: HTTP2ConnectionHandler {
    let log: EventLog

    init(connection: HTTP2Connection, log: EventLog) { self.log = log }

    func streamOpened(_ stream: HTTP2Stream) -> any HTTP2StreamDelegate { TestStreamDelegate(log: log) }

    func connectionDraining(_ connection: HTTP2Connection) { log.add("draining") }

    func connectionClosed(_ connection: HTTP2Connection, error: HTTP2Error) { log.add("connection closed: \(error)") }
}

/// Answers as the path says.
final class TestStreamDelegate: HTTP2StreamDelegate {
    static let okHeaders = constant((":status", "200"), ("content-type", "application/grpc"))
    static let okTrailers = constant(("grpc-status", "0"))
    private let log: EventLog
    private var path = ""
    private var body: [UInt8] = []
    private var left = 0

    init(log: EventLog) { self.log = log }

    func headersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers, endStream: Bool) {
        path = headers.value(of: ":path") ?? ""
        log.add("headers \(path)")
        switch path {
        case "/trailers-only":
            stream.sendHeaders(Self.okHeaders, endStream: true)
        case "/early":
            stream.sendHeaders(Self.okHeaders, endStream: true)
            stream.resetAfterDelay()
        case "/no-data":
            stream.sendHeaders(Self.okHeaders)
            stream.sendTrailers(Self.okTrailers)
        case "/known":
            stream.connection.becomeKnown()
            log.add("known: \(stream.connection.isKnown)")
            stream.sendHeaders(Self.okHeaders, endStream: true)
        case "/refuse":
            stream.reset(errorCode: HTTP2ErrorCode.refusedStream)
        case _ where path.hasPrefix("/stream/"):
            left = Int(path.dropFirst("/stream/".count)) ?? 0
            stream.sendHeaders(Self.okHeaders)
            pump(stream)
        case _ where path.hasPrefix("/big/"):
            let count = Int(path.dropFirst("/big/".count)) ?? 0
            stream.respond(
                headers: Self.okHeaders, body: [UInt8](repeating: 0x62, count: count), trailers: Self.okTrailers)
        case "/long-trailer":
            stream.sendHeaders(Self.okHeaders)
            var trailers = HTTP2Headers()
            trailers.add(name: "grpc-message", value: String(repeating: "x", count: 100_000))
            stream.sendTrailers(trailers)
        default:
            if endStream { answerEcho(stream) }
        }
    }

    func dataReceived(_ stream: HTTP2Stream, bytes: UnsafeRawBufferPointer, endStream: Bool) {
        if path == "/stall" { return log.add("stalled") }
        body.append(contentsOf: bytes)
        stream.consume(bytes.count)
        if endStream, path == "/echo" { answerEcho(stream) }
    }

    func trailersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers) {
        log.add("trailers \(headers.value(of: "checksum") ?? "")")
        if path == "/echo" { answerEcho(stream) }
    }

    func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) {
        log.add("too large")
        var headers = HTTP2Headers()
        headers.add(":status", "431")
        stream.sendHeaders(headers, endStream: true)
        stream.resetAfterDelay()
    }

    func streamWritable(_ stream: HTTP2Stream) { pump(stream) }

    func peerReset(_ stream: HTTP2Stream) -> Bool { path == "/answered-for" }

    func requestOverdue(_ stream: HTTP2Stream) -> Bool {
        guard path != "/hold-long" else { return false }
        stream.sendHeaders(Self.okHeaders, endStream: true)
        return true
    }

    func streamClosed(_ stream: HTTP2Stream, errorCode: UInt32) { log.add("closed \(path) \(errorCode)") }

    private func answerEcho(_ stream: HTTP2Stream) {
        stream.respond(headers: Self.okHeaders, body: body, trailers: Self.okTrailers)
    }

    private func pump(_ stream: HTTP2Stream) {
        while left > 0, stream.isWritable {
            let count = min(left, 10_000)
            left -= count
            stream.sendData([UInt8](repeating: 0x73, count: count))
        }
        if left == 0 {
            left = -1
            stream.sendTrailers(Self.okTrailers)
        }
    }

    static func constant(_ fields: (StaticString, StaticString)...) -> HTTP2ConstantHeaders {
        var headers = HTTP2Headers()
        for (name, value) in fields { headers.add(name, value) }
        return HTTP2ConstantHeaders(headers)
    }
}

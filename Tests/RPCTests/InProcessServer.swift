import Dispatch
import HTTP2
import Protobuf

@testable import RPC

/// A server without any wire: calls go straight to the loop that runs them.
final class InProcessServer: TestServer {
    let echo = EchoService()
    private let loop: EventLoop
    private let home: ServerLoop
    private let methods: [RegisteredMethod]

    init(_ configuration: RPCServerConfiguration, _ interceptors: [any ServerInterceptor]) throws {
        let registry = ServiceRegistry()
        echo.register(in: registry)
        methods = registry.methods
        let core = ServerCore(
            configuration: configuration, methods: MethodTable(registry.methods), interceptors: interceptors,
            health: HealthStatus())
        loop = try EventLoop(name: "in-process")
        home = ServerLoop(core: core, loop: loop)
        try loop.start()
    }

    func open(_ method: MethodDescriptor, metadata: Metadata, timeoutNs: Int64?) async -> any TestCall {
        open(method, metadata: metadata, timeoutNs: timeoutNs, waitedNs: 0)
    }

    /// As a call that has waited so long in a socket.
    func open(
        _ method: MethodDescriptor, metadata: Metadata = [:], timeoutNs: Int64?, waitedNs: Int64
    ) -> any TestCall {
        let method = methods.first { $0.descriptor.path == method.path }!
        let exchange = InProcessExchange(home, metadata: metadata, waitedNs: waitedNs)
        loop.execute { exchange.start(method, timeoutNs: timeoutNs) }
        return exchange
    }

    /// Keeps the loop from doing anything while `body` runs: what is begun meanwhile arrives in one turn.
    func whileHeld(_ body: () async throws -> Void) async throws {
        let release = DispatchSemaphore(value: 0)
        // Only once it stands still: what comes before that may belong to the same turn.
        await withCheckedContinuation { continuation in
            loop.execute {
                continuation.resume()
                release.wait()
            }
        }
        defer { release.signal() }
        try await body()
    }

    func stop() async {
        loop.execute { [home] in home.forgetWaiting() }
        loop.stop()
        loop.join()
    }
}

/// A call without any wire. Its mutable state belongs to the loop's thread.
private final class InProcessExchange: ServerExchange, TestCall, @unchecked Sendable {
    private let headers: HTTP2Headers
    let peer = "in-process"
    let isWritable = true
    let waitedNs: Int64
    let events: AsyncStream<CallEvent>
    private let home: ServerLoop
    private let continuation: AsyncStream<CallEvent>.Continuation
    private var call: ServerCall?
    private var hasSentHeaders = false
    private var kept: [UInt8] = []

    init(_ home: ServerLoop, metadata: Metadata, waitedNs: Int64) {
        self.home = home
        self.waitedNs = waitedNs
        var headers = HTTP2Headers()
        for entry in metadata.entries { headers.add(name: entry.key, value: entry.wireValue) }
        self.headers = headers
        (events, continuation) = AsyncStream<CallEvent>.makeStream()
    }

    func start(_ method: RegisteredMethod, timeoutNs: Int64?) {
        let head = RequestHead(headers: headers, method: method, timeoutNs: timeoutNs)
        let call = ServerCall(home: home, head: head, exchange: self)
        self.call = call
        call.start()
    }

    // MARK: The caller

    func send(framed: [UInt8]) {
        let message = Array(framed.dropFirst(MessageDeframer.prefixBytes))
        home.loop.execute { [self] in call?.receive(message) }
    }

    func end() { home.loop.execute { [self] in call?.receiveEnd() } }

    func cancel() {
        home.loop.execute { [self] in
            call?.abandon()
            call = nil
            continuation.yield(.lost)
            continuation.finish()
        }
    }

    // MARK: The call

    func send(_ message: [UInt8], initialMetadata: Metadata) {
        if !hasSentHeaders { continuation.yield(.initialMetadata(initialMetadata)) }
        hasSentHeaders = true
        continuation.yield(.message(try! EchoMessage(wireBytes: Array(message.dropFirst(MessageDeframer.prefixBytes)))))
    }

    func send(_ message: UnsafeRawBufferPointer, initialMetadata: Metadata) {
        send(Array(message), initialMetadata: initialMetadata)
    }

    func giveRequests() {}

    func endRequests(_ error: RPCError) { call?.streamHandler?.requestsEnded(error) }

    func finish(message: UnsafeRawBufferPointer) { finish(CallEnd(message: Array(message))) }

    func keep(message: UnsafeRawBufferPointer) { kept = Array(message) }

    func finishKept() { finish(CallEnd(message: kept)) }

    func takeKept() -> [UInt8] { kept }

    func finish(_ end: CallEnd) {
        call = nil
        if let message = end.message { send(message, initialMetadata: end.initialMetadata) }
        continuation.yield(
            .end(
                end.error?.code ?? .ok, message: end.error?.message ?? "", trailers: end.trailingMetadata,
                details: end.error?.details ?? []))
        continuation.finish()
    }

    func took(_ byteCount: Int, idle: Bool) {}
}

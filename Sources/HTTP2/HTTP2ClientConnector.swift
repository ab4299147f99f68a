import CLinux
import Glibc
import Locks

/// Makes connections to servers.
package enum HTTP2ClientConnector {
    /// Connects to a host's addresses one after the other, each with an even share of the time that is left.
    /// `completion` is called on the loop's thread, once; `handler` follows the connection from then on.
    ///
    /// May be called from any thread. The name is resolved beside the loop unless it is an address.
    package static func connect(
        loop: EventLoop, host: String, port: Int, configuration: HTTP2Configuration = HTTP2Configuration(),
        metrics: HTTP2Metrics = HTTP2Metrics(), timeoutNs: Int64,
        makeHandler: @escaping @Sendable (HTTP2Connection) -> any HTTP2ConnectionHandler,
        completion: @escaping @Sendable (Result<HTTP2Connection, HTTP2Error>) -> Void
    ) {
        let deadlineNs = monotonicNs() + timeoutNs
        let begin: @Sendable ([SocketAddress]) -> Void = { addresses in
            let attempt = ConnectAttempt(
                loop: loop, addresses: addresses, deadlineNs: deadlineNs, configuration: configuration,
                metrics: metrics, makeHandler: makeHandler, completion: completion)
            attempt.tryNext(after: .connectTimedOut)
        }
        if let addresses = try? SocketAddress.resolve(host: host, port: port, numericOnly: true) {
            loop.execute { begin(addresses) }
            return
        }
        resolve(host: host, port: port) { result in
            loop.execute {
                switch result {
                case .success(let addresses): begin(addresses)
                case .failure(let error): completion(.failure(error))
                }
            }
        }
    }

    /// Asks the resolver on a thread of its own, since it may block for seconds; one for each attempt under way.
    private static func resolve(
        host: String, port: Int, _ then: @escaping @Sendable (Result<[SocketAddress], HTTP2Error>) -> Void
    ) {
        let box = Unmanaged.passRetained(
            ThreadBody {
                do throws(HTTP2Error) {
                    then(.success(try SocketAddress.resolve(host: host, port: port)))
                } catch {
                    then(.failure(error))
                }
            })
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<ThreadBody>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, box.toOpaque())
        guard error == 0 else {
            box.release()
            then(.failure(.system(call: "pthread_create", errno: error)))
            return
        }
        pthread_detach(thread)
    }
}

/// Carries a closure into a thread.
private final class ThreadBody: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// One call of `connect` on its way through the addresses. Confined to the loop's thread.
private final class ConnectAttempt: ReadinessHandler {
    private let loop: EventLoop
    private var addresses: ArraySlice<SocketAddress>
    private let deadlineNs: Int64
    private let configuration: HTTP2Configuration
    private let metrics: HTTP2Metrics
    private let makeHandler: @Sendable (HTTP2Connection) -> any HTTP2ConnectionHandler
    private let completion: @Sendable (Result<HTTP2Connection, HTTP2Error>) -> Void
    private var descriptor: Int32 = -1
    private var registration: Registration?
    private var timer: TimerToken?
    private var current: SocketAddress?

    init(
        loop: EventLoop, addresses: [SocketAddress], deadlineNs: Int64, configuration: HTTP2Configuration,
        metrics: HTTP2Metrics, makeHandler: @escaping @Sendable (HTTP2Connection) -> any HTTP2ConnectionHandler,
        completion: @escaping @Sendable (Result<HTTP2Connection, HTTP2Error>) -> Void
    ) {
        self.loop = loop
        self.addresses = addresses[...]
        self.deadlineNs = deadlineNs
        self.configuration = configuration
        self.metrics = metrics
        self.makeHandler = makeHandler
        self.completion = completion
    }

    /// Begins with the next address; with none left, the last one's error is the answer.
    func tryNext(after error: HTTP2Error) {
        stopWatching()
        guard let address = addresses.popFirst() else {
            completion(.failure(error))
            return
        }
        current = address
        let leftNs = deadlineNs - monotonicNs()
        guard leftNs > 0 else {
            completion(.failure(.connectTimedOut))
            return
        }
        descriptor = cl_tcp_socket(address.family)
        guard descriptor >= 0 else { return tryNext(after: .system(call: "socket", errno: errno)) }
        Socket.setNoDelay(descriptor)
        let result = address.withSocketAddress { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 || errno == EINPROGRESS else { return fail(.system(call: "connect", errno: errno)) }
        do {
            registration = try loop.register(descriptor, events: UInt32(CL_EPOLLOUT), handler: self)
        } catch {
            return fail(error)
        }
        timer = loop.schedule(after: leftNs / Int64(addresses.count + 1)) { self.fail(.connectTimedOut) }
    }

    func ready(_ events: UInt32) {
        var error: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
        guard error == 0 else { return fail(.system(call: "connect", errno: error)) }
        stopWatching()
        let connection = HTTP2Connection(
            role: .client, loop: loop, transport: SocketTransport(descriptor: descriptor),
            peerAddress: current?.description ?? "unknown", configuration: configuration, metrics: metrics)
        metrics.add(.accepted)
        do {
            try connection.start(handler: makeHandler(connection))
        } catch {
            metrics.add(.closed)
            return fail(error)
        }
        descriptor = -1
        completion(.success(connection))
    }

    func loopStopped() {
        stopWatching()
        close(descriptor)
        completion(.failure(.closedLocally))
    }

    private func fail(_ error: HTTP2Error) {
        stopWatching()
        close(descriptor)
        descriptor = -1
        tryNext(after: error)
    }

    private func stopWatching() {
        if let timer { loop.cancel(timer) }
        timer = nil
        if let registration { loop.unregister(registration, descriptor) }
        registration = nil
    }
}

import HTTP2
import Locks

/// A gRPC server: loop threads, listeners on one address, and the calls that come over them.
///
/// It starts once and stops once. `drain` lets the calls under way finish; `stop` does not.
package final class RPCServer: Sendable {
    /// Whether the server and its services can answer; `GET /healthz` and health checks tell it.
    package let health: HealthStatus
    /// What its connections counted.
    package let http2Metrics: HTTP2Metrics
    private let core: ServerCore
    private let state = Protected(State())

    /// What runs, from start to stop.
    private struct State {
        var homes: [ServerLoop] = []
        var listener: HTTP2Listener?
        var hasStarted = false
    }

    /// A server of what is registered up to now. Every registered service is healthy unless it was said otherwise.
    ///
    /// - Parameters:
    ///   - metrics: what `GET /metrics` tells beside the server's own numbers.
    ///   - onCutOff: hears of each peer that is cut off, on its loop's thread; must not block.
    package init(
        registry: ServiceRegistry, interceptors: [any ServerInterceptor] = [],
        configuration: RPCServerConfiguration = RPCServerConfiguration(), health: HealthStatus = HealthStatus(),
        metrics: [MetricsSource] = [], onCutOff: @escaping @Sendable (HTTP2CutOff) -> Void = { _ in }
    ) {
        http2Metrics = HTTP2Metrics(onCutOff: onCutOff)
        precondition((1...Limits.serverLoops).contains(configuration.loopCount), "A server has 1 to 64 loops.")
        self.health = health
        for service in registry.services where health.status(of: service) == nil { health.set(service, serving: true) }
        var configuration = configuration
        configuration.http2.knowsCallers = !interceptors.isEmpty
        core = ServerCore(
            configuration: configuration, methods: MethodTable(registry.methods), interceptors: interceptors,
            health: health, http2Metrics: http2Metrics, metrics: metrics)
    }

    /// Calls under way, and calls that were refused since the start because too many were.
    package var callCounts: (active: Int, refused: Int) { core.counts }

    /// Starts the threads and listens; gives the address, with the port that was picked, such as `127.0.0.1:7070`.
    package func start() throws(HTTP2Error) -> SocketAddress {
        state.withLock { state in
            precondition(!state.hasStarted, "A server starts once.")
            state.hasStarted = true
        }
        let configuration = core.configuration
        var homes: [ServerLoop] = []
        for number in 0..<configuration.loopCount {
            let loop = try EventLoop(name: "rpc-\(number)")
            loop.activity = configuration.activity
            homes.append(ServerLoop(core: core, loop: loop))
        }
        let listener: HTTP2Listener
        do throws(HTTP2Error) {
            for home in homes { try home.loop.start() }
            listener = try HTTP2Listener(
                loops: homes.map(\.loop), host: configuration.host, port: configuration.port,
                configuration: configuration.http2, metrics: http2Metrics
            ) { [homes] connection in
                GRPCConnection(home: homes.first { $0.loop === connection.loop }!)
            }
        } catch {
            RPCServer.end(homes)
            throw error
        }
        state.withLock { state in
            state.homes = homes
            state.listener = listener
        }
        listener.start()
        return listener.localAddress
    }

    /// Goes away in peace: nothing serves any more, no connection is taken, open ones are told (GOAWAY), calls under
    /// way finish, streams that could go on for ever end. Calls that are not done in time are cut. Then everything
    /// stops.
    package func drain(timeout: Duration) async {
        health.drain()
        let (homes, listener) = state.withLock { ($0.homes, $0.listener) }
        guard let listener else { return }
        for home in homes { home.loop.execute { home.drain() } }
        await withCheckedContinuation { continuation in
            listener.drain(graceNs: max(1, timeout.nanosecondsClamped)) { continuation.resume() }
        }
        stop()
    }

    /// Closes all connections and ends the threads; calls under way are lost to their callers.
    package func stop() {
        let (homes, listener) = state.withLock { state in
            defer { (state.homes, state.listener) = ([], nil) }
            return (state.homes, state.listener)
        }
        listener?.stop()
        RPCServer.end(homes)
    }

    private static func end(_ homes: [ServerLoop]) {
        for home in homes {
            home.loop.execute { home.forgetWaiting() }
            home.loop.stop()
        }
        for home in homes { home.loop.join() }
    }
}

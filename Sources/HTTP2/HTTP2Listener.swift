import CLinux
import Glibc
import Synchronization

/// Accepts connections and hands them to the loops in turn. A gRPC connection lives long, so that an even share by
/// turns is better than what the kernel's hash makes of few connections.
///
/// Accepting happens on the first loop. `Sendable` since the rest is immutable, atomic, or confined to its loop.
package final class HTTP2Listener: @unchecked Sendable {
    /// The address that it is bound to, with the port that port 0 picked.
    package let localAddress: SocketAddress
    package let metrics: HTTP2Metrics
    private let groups: [ConnectionGroup]
    private let configuration: HTTP2Configuration
    private let acceptor: Acceptor

    /// Binds and listens; nothing is accepted before `start`.
    package init(
        loops: [EventLoop], host: String, port: Int, configuration: HTTP2Configuration = HTTP2Configuration(),
        metrics: HTTP2Metrics = HTTP2Metrics(),
        makeHandler: @escaping @Sendable (HTTP2Connection) -> any HTTP2ConnectionHandler
    ) throws(HTTP2Error) {
        precondition(!loops.isEmpty, "a listener needs a loop")
        let address = try SocketAddress.resolve(host: host, port: port, passive: true)[0]
        let descriptor = try Socket.listening(at: address)
        localAddress = SocketAddress.of(descriptor, peer: false) ?? address
        self.configuration = configuration
        self.metrics = metrics
        groups = loops.map {
            ConnectionGroup(loop: $0, configuration: configuration, metrics: metrics, makeHandler: makeHandler)
        }
        acceptor = Acceptor(descriptor: descriptor, groups: groups, metrics: metrics, configuration)
    }

    /// Begins to accept.
    package func start() {
        let acceptor = acceptor
        groups[0].loop.execute { acceptor.start() }
    }

    /// Stops accepting, drains every connection (see `HTTP2Connection.startDrain`) and says when the last is gone.
    package func drain(graceNs: Int64?, whenDone: @escaping @Sendable () -> Void) {
        end(whenDone) { $0.drain(graceNs: graceNs, whenEmpty: $1) }
    }

    /// Stops accepting and closes every connection with its streams.
    package func stop(whenDone: @escaping @Sendable () -> Void = {}) {
        end(whenDone) { $0.closeAll(whenEmpty: $1) }
    }

    private func end(
        _ whenDone: @escaping @Sendable () -> Void,
        _ each: @escaping @Sendable (ConnectionGroup, @escaping @Sendable () -> Void) -> Void
    ) {
        let left = Countdown(groups.count, whenDone)
        let (acceptor, groups) = (acceptor, groups)
        groups[0].loop.execute {
            acceptor.stop()
            for group in groups {
                group.loop.execute { each(group) { left.count() } }
            }
        }
    }
}

/// Calls something when it was counted down.
private final class Countdown: Sendable {
    private let left: Atomic<Int>
    private let whenDone: @Sendable () -> Void

    init(_ count: Int, _ whenDone: @escaping @Sendable () -> Void) {
        left = Atomic(count)
        self.whenDone = whenDone
    }

    func count() {
        if left.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 { whenDone() }
    }
}

/// The connections of a listener on one loop. Confined to it.
final class ConnectionGroup: @unchecked Sendable {
    let loop: EventLoop
    private let configuration: HTTP2Configuration
    private let metrics: HTTP2Metrics
    private let makeHandler: @Sendable (HTTP2Connection) -> any HTTP2ConnectionHandler
    private var connections: [ObjectIdentifier: HTTP2Connection] = [:]
    private var takesNoMore = false
    private var waiters: [@Sendable () -> Void] = []
    private var isSweeping = false

    init(
        loop: EventLoop, configuration: HTTP2Configuration, metrics: HTTP2Metrics,
        makeHandler: @escaping @Sendable (HTTP2Connection) -> any HTTP2ConnectionHandler
    ) {
        self.loop = loop
        self.configuration = configuration
        self.metrics = metrics
        self.makeHandler = makeHandler
    }

    /// Makes a connection of an accepted socket, which was counted already.
    func adopt(_ descriptor: Int32) {
        guard !takesNoMore else {
            close(descriptor)
            metrics.add(.closed)
            return
        }
        let peer = SocketAddress.of(descriptor, peer: true)?.description ?? "unknown"
        let connection = HTTP2Connection(
            role: .server, loop: loop, transport: SocketTransport(descriptor: descriptor), peerAddress: peer,
            configuration: configuration, metrics: metrics)
        connection.onClosed = { [weak self] in self?.left($0) }
        connections[ObjectIdentifier(connection)] = connection
        scheduleSweep()
        do {
            try connection.start(handler: makeHandler(connection))
        } catch {
            connections[ObjectIdentifier(connection)] = nil
            close(descriptor)
            metrics.add(.closed)
        }
    }

    /// As long as there are connections each is looked at now and then.
    private func scheduleSweep() {
        guard !isSweeping, !connections.isEmpty else { return }
        isSweeping = true
        loop.schedule(after: Limits.sweepIntervalNs) { [self] in
            isSweeping = false
            for connection in connections.values { connection.sweep() }
            scheduleSweep()
        }
    }

    /// Closes some connections that do nothing, those first that never did anything, then those that are idle longest: who
    /// holds connections only to have them keeps nobody out.
    func evictIdle() {
        let idle = connections.values.compactMap { connection in
            connection.idleSinceNs.map { (hasServed: connection.hasServed, sinceNs: $0, connection: connection) }
        }
        let count = max(1, min(Limits.evictionsMax, connections.count / Limits.evictionsMax))
        let first = idle.sorted { ($0.hasServed ? 1 : 0, $0.sinceNs) < ($1.hasServed ? 1 : 0, $1.sinceNs) }
        for entry in first.prefix(count) { entry.connection.evict() }
    }

    func drain(graceNs: Int64?, whenEmpty: @escaping @Sendable () -> Void) {
        takesNoMore = true
        waiters.append(whenEmpty)
        for connection in connections.values { connection.startDrain(graceNs: graceNs) }
        tellIfEmpty()
    }

    func closeAll(whenEmpty: @escaping @Sendable () -> Void) {
        takesNoMore = true
        waiters.append(whenEmpty)
        for connection in connections.values { connection.close() }
        tellIfEmpty()
    }

    private func left(_ connection: HTTP2Connection) {
        connections[ObjectIdentifier(connection)] = nil
        tellIfEmpty()
    }

    private func tellIfEmpty() {
        guard takesNoMore, connections.isEmpty else { return }
        let told = waiters
        waiters = []
        for whenEmpty in told { whenEmpty() }
    }
}

/// Accepts from one listening socket. Confined to the first group's loop.
private final class Acceptor: ReadinessHandler, @unchecked Sendable {
    private let descriptor: Int32
    private let groups: [ConnectionGroup]
    private let metrics: HTTP2Metrics
    private let connectionsMax: Int
    private var registration: Registration?
    private var pause: TimerToken?
    private var next = 0
    private var isClosed = false
    private let outOfDescriptors: (@Sendable (Bool) -> Void)?
    private let willAccept: (@Sendable () -> Void)?
    private let knowsCallers: Bool
    private var isOutOfDescriptors = false

    init(
        descriptor: Int32, groups: [ConnectionGroup], metrics: HTTP2Metrics, _ configuration: HTTP2Configuration
    ) {
        self.descriptor = descriptor
        self.groups = groups
        self.metrics = metrics
        connectionsMax = configuration.connectionsMax
        outOfDescriptors = configuration.outOfDescriptors
        willAccept = configuration.willAccept
        knowsCallers = configuration.knowsCallers
    }

    deinit {
        if !isClosed { close(descriptor) }
    }

    private var loop: EventLoop { groups[0].loop }

    /// Watches the socket; where the kernel has no room for that now, it is tried again in a while.
    func start() {
        guard !isClosed, registration == nil else { return }
        do {
            registration = try loop.register(descriptor, events: UInt32(CL_EPOLLIN), handler: self)
        } catch {
            metrics.add(.acceptPauses)
            pause = loop.schedule(after: Limits.acceptPauseNs) { [weak self] in self?.start() }
        }
    }

    func stop() {
        guard !isClosed else { return }
        isClosed = true
        if let pause { loop.cancel(pause) }
        if let registration { loop.unregister(registration, descriptor) }
        registration = nil
        close(descriptor)
    }

    func loopStopped() { stop() }

    /// Who connects is nobody's caller yet.
    var isStranger: Bool { knowsCallers }

    func ready(_ events: UInt32) {
        willAccept?()
        for _ in 0..<Limits.acceptsPerTurnMax {
            let accepted = cl_accept(descriptor)
            guard accepted >= 0 else {
                switch errno {
                case EAGAIN: return
                case EMFILE, ENFILE, ENOBUFS, ENOMEM: return pauseAccepting()
                // The caller gave up, or a signal came: the next one.
                default: continue
                }
            }
            take(accepted)
        }
    }

    private func take(_ accepted: Int32) {
        noteShortage(false)
        if metrics.active >= connectionsMax { makeRoom() }
        guard metrics.active < connectionsMax else {
            metrics.add(.connectionsRefused)
            close(accepted)
            return
        }
        metrics.add(.accepted)
        Socket.setNoDelay(accepted)
        let group = groups[next]
        next = (next + 1) % groups.count
        if group.loop === loop { group.adopt(accepted) } else { group.loop.execute { group.adopt(accepted) } }
    }

    private func noteShortage(_ isThere: Bool) {
        guard isThere != isOutOfDescriptors else { return }
        isOutOfDescriptors = isThere
        outOfDescriptors?(isThere)
    }

    /// On this loop at once, on others for who comes next.
    private func makeRoom() {
        for group in groups {
            if group.loop === loop { group.evictIdle() } else { group.loop.execute { group.evictIdle() } }
        }
    }

    /// Out of descriptors, the socket would be ready for ever: look away for a while.
    private func pauseAccepting() {
        guard let registration, pause == nil else { return }
        metrics.add(.acceptPauses)
        noteShortage(true)
        loop.modify(registration, descriptor, events: 0)
        pause = loop.schedule(after: Limits.acceptPauseNs) { [weak self] in
            guard let self, let registration = self.registration else { return }
            self.pause = nil
            self.loop.modify(registration, self.descriptor, events: UInt32(CL_EPOLLIN))
        }
    }
}

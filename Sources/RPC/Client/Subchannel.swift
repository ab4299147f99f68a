import HTTP2

/// One endpoint's side of a channel: not connected, being connected, connected, or waiting after a failure.
///
/// A connection that the server drains (GOAWAY) is let go of at once: its calls finish on it, new ones get a new
/// connection. Confined to the loop's thread; that is why `@unchecked Sendable` holds.
final class Subchannel: @unchecked Sendable {
    private enum State {
        case idle
        /// An attempt is under way: first the socket, then the server's SETTINGS.
        case connecting(ConnectionEvents)
        case ready(ClientConnection)
        /// No attempt before the timer has fired.
        case waiting(TimerToken)
        case closed
    }

    let endpoint: Endpoint
    /// Why the last attempt failed; nil after a connection came to be.
    private(set) var lastFailure: String?

    /// Not touched once closed, and the core closes its subchannels before it goes.
    private unowned let core: ChannelCore
    private var state = State.idle
    private var backoff: Backoff
    /// Connections that only finish their calls.
    private var draining: [HTTP2Connection] = []

    init(endpoint: Endpoint, core: ChannelCore) {
        self.endpoint = endpoint
        self.core = core
        backoff = Backoff(core.configuration.backoff)
    }

    var isIdle: Bool {
        if case .idle = state { true } else { false }
    }

    var isConnecting: Bool {
        if case .connecting = state { true } else { false }
    }

    var readyConnection: ClientConnection? {
        if case .ready(let connection) = state { connection } else { nil }
    }

    /// Makes an attempt, unless there is a connection, an attempt, or a wait after a failure.
    func connect() {
        guard isIdle else { return }
        let events = ConnectionEvents(self)
        state = .connecting(events)
        HTTP2ClientConnector.connect(
            loop: core.loop, host: endpoint.host, port: Int(endpoint.port), configuration: core.http2Configuration,
            timeoutNs: core.configuration.connectTimeout.nanosecondsClamped, makeHandler: { _ in events },
            completion: { events.connected($0) })
    }

    /// Ends the connection, or the attempt to make one.
    func close() {
        switch state {
        case .ready(let connection): connection.http2.close()
        case .waiting(let timer): core.loop.cancel(timer)
        case .idle, .connecting, .closed: break
        }
        state = .closed
        for connection in draining { connection.close() }
    }

    // MARK: What connections report

    /// The socket is connected; the server has yet to speak.
    fileprivate func connected(_ http2: HTTP2Connection, _ events: ConnectionEvents) {
        // The channel was closed meanwhile.
        guard isAttempt(events) else { return http2.close() }
    }

    /// The server has said how many calls it takes, for the first time or anew.
    fileprivate func settingsReceived(_ http2: HTTP2Connection, _ events: ConnectionEvents) {
        if isAttempt(events) {
            lastFailure = nil
            backoff.succeeded()
            state = .ready(ClientConnection(http2, endpoint: endpoint, metadata: core.configuration.metadata))
            core.placeWaiting()
        } else if isCurrent(http2) {
            core.placeWaiting()
        }
    }

    /// A call has ended and left room.
    fileprivate func roomFreed(_ http2: HTTP2Connection) {
        if isCurrent(http2) { core.placeWaiting() }
    }

    /// The server takes no new calls here; the next one makes another connection.
    fileprivate func drains(_ http2: HTTP2Connection, _ events: ConnectionEvents) {
        if isAttempt(events) { return failed("the server refused the connection") }
        guard isCurrent(http2) else { return }
        draining.append(http2)
        state = .idle
        core.placeWaiting()
    }

    /// The attempt came to nothing. The next one is made after a wait, and then only if a call wants it.
    fileprivate func attemptFailed(_ error: HTTP2Error, _ events: ConnectionEvents) {
        if isAttempt(events) { failed(error.reason) }
    }

    /// The connection is gone.
    fileprivate func closed(_ http2: HTTP2Connection, _ error: HTTP2Error, _ events: ConnectionEvents) {
        draining.removeAll { $0 === http2 }
        if isAttempt(events) { return failed(error.reason) }
        guard isCurrent(http2) else { return }
        state = .idle
        core.placeWaiting()
    }

    private func failed(_ reason: String) {
        lastFailure = reason
        var random = SystemRandomNumberGenerator()
        let wait = backoff.failed(using: &random)
        state = .waiting(
            core.loop.schedule(after: wait.nanosecondsClamped) { [weak self] in
                guard let self, case .waiting = state else { return }
                state = .idle
                if core.hasWaitingCalls { connect() }
            })
        core.placeWaiting()
    }

    private func isAttempt(_ events: ConnectionEvents) -> Bool {
        if case .connecting(let current) = state { current === events } else { false }
    }

    private func isCurrent(_ http2: HTTP2Connection) -> Bool {
        if case .ready(let connection) = state { connection.http2 === http2 } else { false }
    }
}

/// Takes what one connection reports to its subchannel. Confined to the loop's thread, hence `@unchecked Sendable`.
private final class ConnectionEvents: HTTP2ConnectionHandler, @unchecked Sendable {
    /// Kept until the connection is closed, which closes the circle only for so long.
    private let subchannel: Subchannel

    init(_ subchannel: Subchannel) {
        self.subchannel = subchannel
    }

    func connected(_ result: Result<HTTP2Connection, HTTP2Error>) {
        switch result {
        case .success(let http2): subchannel.connected(http2, self)
        case .failure(let error): subchannel.attemptFailed(error, self)
        }
    }

    func streamOpened(_ stream: HTTP2Stream) -> any HTTP2StreamDelegate {
        preconditionFailure("a server opens no streams here: push is not enabled")
    }

    func settingsReceived(_ connection: HTTP2Connection) { subchannel.settingsReceived(connection, self) }

    func streamSlotFreed(_ connection: HTTP2Connection) { subchannel.roomFreed(connection) }

    func connectionDraining(_ connection: HTTP2Connection) { subchannel.drains(connection, self) }

    func connectionClosed(_ connection: HTTP2Connection, error: HTTP2Error) {
        subchannel.closed(connection, error, self)
    }
}

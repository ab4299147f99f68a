import HTTP2

/// Places calls on connections: one connection to each endpoint, used in turn; calls wait, up to a bound, where none has room.
///
/// Confined to its loop's thread, where everything but `init` is called: that is why `@unchecked Sendable` holds without a lock.
final class ChannelCore: @unchecked Sendable {
    let loop: EventLoop
    let configuration: ClientConfiguration
    /// The same for all connections.
    let http2Configuration: HTTP2Configuration
    private var subchannels: [Subchannel] = []
    private var waiting: CallQueue
    private var nextSubchannel = 0
    private var isClosed = false

    init(endpoints: [Endpoint], configuration: ClientConfiguration, loop: EventLoop) {
        precondition(!endpoints.isEmpty && endpoints.count <= Limits.endpoints, "1 to \(Limits.endpoints) endpoints")
        self.loop = loop
        self.configuration = configuration
        http2Configuration = configuration.http2
        waiting = CallQueue(limit: configuration.maxQueuedCalls)
        subchannels = endpoints.map { Subchannel(endpoint: $0, core: self) }
    }

    // MARK: Calls

    /// Sends a call, now or when there is room for it.
    func start(_ call: any ChannelCall) {
        guard !isClosed else { return refuse(call, .unavailable, "the channel is closed") }
        if waiting.isEmpty, let connection = pick() { return call.open(on: connection) }
        guard !waiting.isFull else {
            return refuse(call, .resourceExhausted, "\(waiting.count) calls wait for a connection already")
        }
        guard call.waitsForReady || canBecomeReady else {
            return refuse(call, .unavailable, lastFailure)
        }
        waiting.append(call)
    }

    /// A call was cancelled or has run out of time; it leaves the queue where it stands in it.
    func ended(_ call: any ChannelCall) {
        if call.isQueued { waiting.lost(call) }
    }

    /// Places waiting calls after something has changed: a connection came, a call ended, an attempt failed.
    func placeWaiting() {
        while !waiting.isEmpty, let connection = pick() {
            guard let call = waiting.popFirst() else { break }
            call.open(on: connection)
        }
        guard !waiting.isEmpty, !canBecomeReady else { return }
        let reason = lastFailure
        for call in waiting.removeAll(where: { !$0.waitsForReady }) {
            call.fail(RPCError(code: .unavailable, message: reason))
        }
    }

    /// Whether calls wait, so that a connection that was lost is wanted again at once.
    var hasWaitingCalls: Bool { !waiting.isEmpty }

    /// Ends all connections and fails what waits.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        for subchannel in subchannels { subchannel.close() }
        for call in waiting.removeAll(where: { _ in true }) {
            call.fail(RPCError(code: .unavailable, message: "the channel was closed"))
        }
        // Breaks the cycle between the core and its subchannels.
        subchannels = []
    }

    // MARK: Choice of a connection

    /// The next connection in turn that has room. Endpoints without a connection are called up on the way.
    private func pick() -> ClientConnection? {
        var picked: ClientConnection?
        for offset in 0..<subchannels.count {
            var index = nextSubchannel + offset
            if index >= subchannels.count { index -= subchannels.count }
            let subchannel = subchannels[index]
            if picked == nil, let connection = subchannel.readyConnection, connection.hasRoom {
                picked = connection
                nextSubchannel = index + 1 == subchannels.count ? 0 : index + 1
            } else if subchannel.isIdle {
                subchannel.connect()
            }
        }
        return picked
    }

    /// Whether waiting makes sense: something is connected (and merely full) or an attempt is under way.
    private var canBecomeReady: Bool {
        subchannels.contains { $0.readyConnection != nil || $0.isConnecting }
    }

    private var lastFailure: String {
        let failures = subchannels.compactMap { subchannel in
            subchannel.lastFailure.map { "\(subchannel.endpoint): \($0)" }
        }
        return failures.isEmpty ? "no server can be reached" : failures.joined(separator: "; ")
    }

    /// Fails a call that just came. Not within the caller's own call: one that starts the next call when one fails would recurse for ever.
    private func refuse(_ call: any ChannelCall, _ code: RPCStatusCode, _ message: String) {
        let refusal = Refusal(call: call, error: RPCError(code: code, message: message))
        loop.execute { refusal.deliver() }
    }

    /// Carries a call to a later turn of the same loop, which never leaves the thread.
    private struct Refusal: @unchecked Sendable {
        let call: any ChannelCall
        let error: RPCError

        func deliver() {
            if !call.isOver { call.fail(error) }
        }
    }
}

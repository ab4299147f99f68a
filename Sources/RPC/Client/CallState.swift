import HTTP2

/// What unary and streaming calls have in common on the client: their request headers, their deadline, and how often they
/// were sent. Confined to the channel's loop after the call has started.
struct CallState {
    /// What a caller asked for, settled with the channel's defaults on the caller's thread.
    struct Settings: Sendable {
        let method: MethodDescriptor
        /// Metadata of this call alone; the channel's own stands in the templates.
        let metadata: Metadata
        let waitsForReady: Bool
        let maxResponseBytes: Int
        /// How long the call may take, in nanoseconds; nil for ever.
        let timeoutNs: Int64?

        init(method: MethodDescriptor, options: CallOptions, configuration: ClientConfiguration) throws(RPCError) {
            self.method = method
            if configuration.interceptors.isEmpty {
                metadata = options.metadata
            } else {
                var metadata = options.metadata
                for interceptor in configuration.interceptors { try interceptor.intercept(method, metadata: &metadata) }
                self.metadata = metadata
            }
            waitsForReady = options.waitForReady
            maxResponseBytes = options.maxResponseBytes ?? configuration.maxResponseBytes
            timeoutNs = (options.timeout ?? configuration.defaultTimeout)?.nanosecondsClamped
        }
    }

    let settings: Settings
    /// How often the call was sent again by itself.
    private(set) var retries = 0
    /// When the call started on the loop, by its clock; 0 where it has no timeout.
    private var startNs: Int64 = 0
    private var timer: TimerToken?

    init(_ settings: Settings) {
        self.settings = settings
    }

    /// The headers to send now. A call that is sent at once names the timeout as it was asked for, which compresses to one
    /// byte on a connection that has seen it before; one that had to wait, or is sent again, names what is left.
    func headers(on connection: ClientConnection, loop: EventLoop) -> HTTP2Headers {
        var headers: HTTP2Headers
        if let timeoutNs = settings.timeoutNs {
            let waitedNs = loop.nowNs - startNs
            if waitedNs < Self.promptNs {
                headers = connection.headers(for: settings.method, timeoutNs: timeoutNs)
            } else {
                headers = connection.headers(for: settings.method, timeoutNs: nil)
                headers.add(name: "grpc-timeout", value: CallTimeout.format(nanoseconds: timeoutNs - waitedNs))
            }
        } else {
            headers = connection.headers(for: settings.method, timeoutNs: nil)
        }
        if !settings.metadata.isEmpty { headers.add(settings.metadata) }
        return headers
    }

    /// A call that is sent within so long of its start counts as sent at once.
    private static let promptNs: Int64 = 1_000_000

    /// Begins to count the time: `expired` is called at the deadline, unless `stopTimer` comes before. False where there is
    /// no time at all.
    mutating func startTimer(on loop: EventLoop, _ expired: @escaping () -> Void) -> Bool {
        guard let timeoutNs = settings.timeoutNs else { return true }
        startNs = loop.nowNs
        guard timeoutNs > 0 else { return false }
        if timeoutNs < .max { timer = loop.schedule(after: timeoutNs, expired) }
        return true
    }

    /// The call is over; its deadline matters no more.
    mutating func stopTimer(on loop: EventLoop) {
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    /// Whether the call may be sent once more after the server said that it did not begin with it; counts it.
    mutating func mayRetry() -> Bool {
        guard retries < Limits.transparentRetries else { return false }
        retries += 1
        return true
    }

    /// How a call ends when its time has run out.
    static var deadlineExceeded: RPCError {
        RPCError(code: .deadlineExceeded, message: "the call took longer than its timeout")
    }

    /// How a call ends when its caller gave it up.
    static var cancelled: RPCError {
        RPCError(code: .cancelled, message: "the call was cancelled")
    }

    /// How a call ends whose metadata cannot be read.
    static var brokenMetadata: RPCError {
        RPCError(code: .internal, message: "the server sent metadata that is not base64")
    }
}

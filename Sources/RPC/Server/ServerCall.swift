import Glibc
import HTTP2
import Protobuf
import Synchronization

/// The monotonic clock, in nanoseconds.
package func monotonicNs() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// One call from its headers to its status, whatever wire protocol carries it.
///
/// It admits the call, collects the one request of a unary call or queues those of a streaming one, runs the handler
/// and sees to deadline and cancellation. It ends exactly once; what comes later is dropped. Everything is confined to
/// the loop's thread save what is immutable, what stands under a lock, and `complete`; `principal` is written on the
/// loop before the handler runs and only read afterwards. That is why it is `Sendable`.
@usableFromInline
package final class ServerCall: @unchecked Sendable {
    /// What was called.
    let method: RegisteredMethod
    /// The request's headers.
    let headers: HTTP2Headers
    /// The other end's address.
    let peer: String
    /// When the caller gives up, on the monotonic clock; nil where it did not say.
    let deadlineNs: Int64?
    /// When the headers had arrived.
    let startNs: Int64
    /// What the calls of this thread share.
    let home: ServerLoop
    /// Who calls.
    var principal: (any Sendable)?
    /// What handlers may change from their threads.
    let extras = Mutex(CallExtras())

    /// The way back; nil once the call has ended.
    var exchange: (any ServerExchange)?
    /// The one request message of a call without streamed requests, while the end of the requests is awaited.
    var message: [UInt8]?
    /// The requests of a call that streams them.
    var requests: RequestQueue?
    /// The responses of a call that streams them.
    var responses: ResponseQueue?
    /// Wakes at the deadline.
    var timer: TimerToken?
    /// Runs the handler, save a direct one.
    var task: Task<Void, Never>?
    /// Whether this call counts among those under way: it does as long as anyone holds it.
    private var isCounted = false

    init(home: ServerLoop, method: RegisteredMethod, exchange: any ServerExchange, timeoutNs: Int64?) {
        self.home = home
        self.method = method
        self.exchange = exchange
        headers = exchange.headers
        peer = exchange.peer
        let now = monotonicNs()
        startNs = now
        deadlineNs = timeoutNs.map { now.addingReportingOverflow($0) }.map { $0.overflow ? .max : $0.partialValue }
    }

    deinit {
        if isCounted { home.core.leave() }
    }

    /// What handlers and interceptors see of the call.
    @usableFromInline var context: ServerContext { ServerContext(call: self) }

    /// The request's metadata. Broken `-bin` values were refused when the headers arrived.
    var metadata: Metadata {
        var metadata = Metadata()
        for (name, value) in headers.pairs { _ = metadata.addReceived(name: name, value: value) }
        return metadata
    }

    /// A response in one buffer with its prefix; too large a one is an error of the server.
    @usableFromInline
    func frame<Response: Message>(_ response: Response) throws(RPCError) -> [UInt8] {
        let message = MessageFraming.frame(response)
        let limit = home.core.configuration.maxResponseBytes
        guard message.count - MessageDeframer.prefixBytes <= limit else {
            throw RPCError(
                code: .resourceExhausted,
                message:
                    "response of \(message.count - MessageDeframer.prefixBytes) bytes is over the limit of \(limit)")
        }
        return message
    }

    // MARK: What the wire protocol says; on the loop

    /// Begins the call, or ends it at once.
    func start() {
        guard home.core.enter() else {
            fail(ServerCall.overloaded)
            return
        }
        isCounted = true
        if let deadlineNs {
            guard deadlineNs > startNs else {
                expire()
                return
            }
            if deadlineNs < .max {
                timer = home.loop.schedule(after: deadlineNs - startNs) { [self] in expire() }
            }
        }
        for interceptor in home.core.interceptors {
            do throws(RPCError) {
                try interceptor.admit(context)
            } catch {
                fail(error)
                return
            }
        }
        if case .streaming(let handler) = method.handler { startStreaming(handler) }
    }

    /// The one message of a call without streamed requests, and their end. The bytes are borrowed: a direct handler
    /// reads them in place.
    func receiveOnly(_ bytes: UnsafeRawBufferPointer) {
        guard exchange != nil else { return }
        switch method.handler {
        case .direct(let handler):
            handler(bytes, self)
        case .unary(let handler):
            let message = Array(bytes)
            run { call in try await handler(message, call) }
        case .serverStreaming(let handler):
            let message = Array(bytes)
            let responses = makeResponses()
            run { call in
                try await handler(message, call, responses)
                return nil
            }
        case .streaming:
            receive(Array(bytes))
            receiveEnd()
        }
    }

    /// One message of possibly many.
    func receive(_ message: [UInt8]) {
        guard exchange != nil else { return }
        if let requests {
            requests.push(message)
        } else if self.message == nil {
            self.message = message
        } else {
            fail(.unimplemented, "\(method.descriptor.path) takes one request message, and more than one came")
        }
    }

    /// No message follows.
    func receiveEnd() {
        guard exchange != nil else { return }
        if let requests {
            requests.end(.success(nil))
        } else if let message {
            self.message = nil
            message.withUnsafeBytes { receiveOnly($0) }
        } else {
            fail(.unimplemented, "\(method.descriptor.path) takes one request message, and none came")
        }
    }

    /// Whether the handler has taken all that arrived, so that more may come.
    var wantsMore: Bool { requests?.isIdle ?? true }

    /// The stream below takes more again.
    func becameWritable() { responses?.setBlocked(false) }

    /// The caller cancelled, or its connection is lost: nothing can be sent any more.
    func abandon() {
        guard exchange != nil else { return }
        close(code: .cancelled, cancelling: RPCError(code: .cancelled, message: "the caller cancelled"))
    }

    /// The server drains: streams that could go on for ever are told.
    func drain() {
        requests?.end(.failure(ServerCall.draining))
        let handlers = extras.withLock { extras in
            extras.isDraining = true
            defer { extras.drainHandlers = [] }
            return extras.drainHandlers
        }
        for handler in handlers { handler() }
    }
}

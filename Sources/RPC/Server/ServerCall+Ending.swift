import HTTP2
import Locks
import Protobuf

/// What handlers set from their threads while a call is under way.
struct CallNotes: Sendable {
    /// The answer was sent; handlers of later events never run.
    var isFinished = false
    /// What most calls have nothing of; made when first set.
    var extras: CallExtras?

    var madeExtras: CallExtras {
        mutating get {
            if let extras { return extras }
            let made = CallExtras()
            extras = made
            return made
        }
    }
}

/// The part of `CallNotes` that few calls need. `Sendable` since it stands under the lock of the call's notes.
final class CallExtras: @unchecked Sendable {
    /// Nobody waits for the answer any more.
    var isCancelled = false
    /// The server drains.
    var isDraining = false
    var cancelHandlers: [@Sendable () -> Void] = []
    var drainHandlers: [@Sendable () -> Void] = []
    var initialMetadata = Metadata()
    var trailingMetadata = Metadata()

    /// Hands out those who wait, who then wait no more.
    func takeHandlers() -> (cancel: [@Sendable () -> Void], drain: [@Sendable () -> Void]) {
        defer {
            cancelHandlers = []
            drainHandlers = []
        }
        return (cancelHandlers, drainHandlers)
    }
}

extension ServerCall {
    // MARK: From any thread

    /// Ends the call with the message that `encode` writes. On the loop's thread that goes through memory which all calls
    /// share; from any other it is encoded there.
    @usableFromInline
    func complete(encoding encode: (inout WireWriter) -> Void) {
        guard home.loop.inLoop else {
            var writer = WireWriter(reservedPrefix: MessageDeframer.prefixBytes)
            encode(&writer)
            do throws(RPCError) {
                try check(responseBytes: MessageFraming.finish(&writer))
                complete(CallEnd(message: writer.bytes()))
            } catch {
                complete(error)
            }
            return
        }
        guard exchange != nil else { return }
        home.withEncoded(encode) { writer in
            do throws(RPCError) {
                try check(responseBytes: MessageFraming.finish(&writer))
                writer.withUnsafeBytes { finish(message: $0) }
            } catch {
                finish(CallEnd(error: error))
            }
        }
    }

    /// Ends the call with an error.
    @usableFromInline
    package func complete(_ error: RPCError) { complete(CallEnd(error: error)) }

    /// Ends the call: at once on the loop's thread, soon from any other.
    func complete(_ end: CallEnd) {
        if home.loop.inLoop {
            finish(end)
        } else {
            home.loop.execute { [self] in finish(end) }
        }
    }

    /// See `ServerContext.onCancel`.
    func onCancel(_ body: @escaping @Sendable () -> Void) {
        let runsNow = withNotes { notes in
            let extras = notes.madeExtras
            if !extras.isCancelled, !notes.isFinished { extras.cancelHandlers.append(body) }
            return extras.isCancelled
        }
        if runsNow { home.loop.execute(body) }
    }

    /// See `ServerContext.onDrain`.
    func onDrain(_ body: @escaping @Sendable () -> Void) {
        let runsNow = withNotes { notes in
            let extras = notes.madeExtras
            if !extras.isDraining, !notes.isFinished, !extras.isCancelled { extras.drainHandlers.append(body) }
            return extras.isDraining
        }
        if runsNow { home.loop.execute(body) }
    }

    // MARK: On the loop

    /// Runs a handler in a task; its end ends the call.
    func run(_ body: @escaping @Sendable (ServerCall) async throws -> [UInt8]?) {
        home.add(self)
        task = Task { [self] in
            do {
                complete(CallEnd(message: try await body(self)))
            } catch {
                complete(RPCError(hiding: error))
            }
        }
    }

    /// Runs the handler of a call that streams its requests.
    func startStreaming(
        _ handler: @escaping @Sendable (ServerCall, RequestQueue, ResponseQueue) async throws -> [UInt8]?
    ) {
        let loop = home.loop
        let requests = RequestQueue { [self] byteCount, idle in
            loop.execute { [self] in exchange?.took(byteCount, idle: idle && wantsMore) }
        }
        self.requests = requests
        let responses = makeResponses()
        run { call in try await handler(call, requests, responses) }
    }

    /// The queue through which a handler's task sends. It and the call hold each other until the call ends.
    func makeResponses() -> ResponseQueue {
        let loop = home.loop
        let responses = ResponseQueue { [self] in loop.execute { [self] in sendPending() } }
        self.responses = responses
        return responses
    }

    /// Sends what the handler wrote.
    private func sendPending() {
        guard let exchange, let responses else { return }
        let pending = responses.fetch()
        guard !pending.isEmpty else { return }
        let initialMetadata = withNotes { $0.extras?.initialMetadata } ?? Metadata()
        for message in pending { exchange.send(message, initialMetadata: initialMetadata) }
        responses.setBlocked(!exchange.isWritable)
    }

    /// Its deadline has come.
    package func timeIsUp() { expire() }

    /// Ends the call because of its deadline.
    func expire() { fail(.deadlineExceeded, "the deadline has passed") }

    /// Ends the call with an error that is not its handler's; the handler, where one runs, is told.
    func fail(_ code: RPCStatusCode, _ message: String) { fail(RPCError(code: code, message: message)) }

    /// Ends the call with an error that is not its handler's; the handler, where one runs, is told.
    func fail(_ error: RPCError) {
        guard let exchange else { return }
        close(code: error.code, cancelling: error)
        exchange.finish(CallEnd(error: error))
    }

    /// Ends a call that streams nothing with its one message, framed and borrowed: the way of nearly all calls.
    private func finish(message: UnsafeRawBufferPointer) {
        guard endPlainly(), let exchange else { return finish(CallEnd(message: Array(message))) }
        close(code: .ok, cancelling: nil)
        exchange.finish(message: message)
    }

    /// Whether nobody has said anything of the call that its end must tell; nobody can from now on.
    func endPlainly() -> Bool {
        withNotes { notes in
            guard notes.extras == nil, responses == nil else { return false }
            notes.isFinished = true
            return true
        }
    }

    /// Ends the call with what its handler came to.
    func finish(_ end: CallEnd) {
        sendPending()
        guard let exchange else { return }
        var end = end
        // The handlers, which never run, are dropped outside the lock.
        _ = withNotes { notes in
            notes.isFinished = true
            if let extras = notes.extras {
                end.initialMetadata = extras.initialMetadata
                end.trailingMetadata = extras.trailingMetadata
            }
            return notes.extras?.takeHandlers()
        }
        close(code: end.error?.code ?? .ok, cancelling: nil)
        exchange.finish(end)
    }

    /// Lets go of everything once. With an error, the handler that still runs is told so.
    func close(code: RPCStatusCode, cancelling error: RPCError?) {
        exchange = nil
        leaveShare(code: code)
        if let timer { home.loop.cancel(timer) }
        timer = nil
        message = nil
        if requests != nil || responses != nil {
            let ended = error ?? RPCError(code: .cancelled, message: "the call has ended")
            requests?.end(.failure(ended), aborting: true)
            requests = nil
            responses?.end(ended)
            responses = nil
        }
        if task != nil || streamHandler != nil { home.remove(self) }
        if error != nil { task?.cancel() }
        task = nil
        streamHandler = nil
        if error != nil { runCancelHandlers() }
        guard home.core.observesEnds else { return }
        let durationNs = monotonicNs() - startNs
        for observer in home.core.endObservers { observer.finished(context, code: code, durationNs: durationNs) }
    }

    /// Tells those who asked that nobody waits for the answer any more.
    private func runCancelHandlers() {
        let handlers = withNotes { notes in
            let extras = notes.madeExtras
            extras.isCancelled = true
            return extras.takeHandlers()
        }
        for handler in handlers.cancel { handler() }
    }

    // MARK: Errors

    /// Too much of requests that are not whole is kept already; the caller may try again after a moment.
    static var noRoom: RPCError {
        RPCError(
            code: .unavailable, message: "the server has no room for more of this request",
            details: [.retry(afterMs: Limits.retryAfterMs)])
    }

    /// The server goes away; another one, or this one after its restart, takes the call.
    static var draining: RPCError {
        RPCError(
            code: .unavailable, message: "the server is shutting down", details: [.retry(afterMs: Limits.retryAfterMs)])
    }
}

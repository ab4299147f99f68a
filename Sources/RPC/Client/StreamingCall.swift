import HTTP2
import Locks

/// A streaming call of any shape: messages cross between the caller's tasks and the channel's loop under one lock.
///
/// A message that is there is taken, and one for which there is room is left, without a hop between threads; the loop is
/// told only when it has something to do. What is not in `Shared` is confined to the loop: that, and the lock, is why
/// `@unchecked Sendable` holds.
final class StreamingCall: ChannelCall, @unchecked Sendable {
    /// What both sides touch.
    private struct Shared {
        var incoming = IncomingMessages()
        var outgoing = OutgoingMessages()
        /// How the call ended; messages that came before are still handed out when it ended in order.
        var end: ResponseEnd?
        var initialMetadata: Metadata?
        var trailers = Metadata()
        /// Whether the loop was asked to look at `outgoing` and has not yet done so.
        var flushIsPending = false
        var creditIsPending = false
        var receiver: UnsafeContinuation<Received, Never>?
        var metadataWaiter: UnsafeContinuation<Result<Metadata, RPCError>, Never>?
        var sender: UnsafeContinuation<Void, Never>?
    }

    typealias Received = Result<[UInt8]?, RPCError>

    private let core: ChannelCore
    private let shared = Protected(Shared())

    // Confined to the loop.
    private var state: CallState
    private var stream: HTTP2Stream?
    private var machine = ResponseMachine()
    private var deframer: MessageDeframer
    /// Bytes that may be credited. Those of a message that is not whole yet are credited as they come, since a message may be
    /// larger than the window; whole messages when they are taken, which is the back-pressure.
    private var creditableBytes = 0
    var isQueued = false
    private var isEnded = false
    private var hasSentEnd = false

    init(core: ChannelCore, settings: CallState.Settings) {
        self.core = core
        state = CallState(settings)
        deframer = MessageDeframer(limit: settings.maxResponseBytes)
    }

    // MARK: From the caller's tasks

    /// Hands over one framed message, and waits while there is no room for more.
    func send(_ frame: [UInt8]) async throws(RPCError) {
        let isFull = try offer(frame)
        guard isFull else { return }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                let goesOn = shared.withLock { shared in
                    guard shared.end == nil, shared.outgoing.isFull else { return true }
                    precondition(shared.sender == nil, "one task at a time sends on a call")
                    shared.sender = continuation
                    return false
                }
                if goesOn { continuation.resume() }
            }
        } onCancel: {
            cancel()
        }
        if case .failed(let error) = shared.withLock({ $0.end }) { throw error }
    }

    /// Adds a message to what waits. True where there is no room for another one. A message that comes after the server
    /// has ended the call with OK is dropped: the server wants no more.
    func offer(_ frame: [UInt8]) throws(RPCError) -> Bool {
        let (end, isFull, mustFlush) = shared.withLock { shared in
            guard shared.end == nil else { return (shared.end, false, false) }
            shared.outgoing.append(frame)
            let mustFlush = !shared.flushIsPending
            shared.flushIsPending = true
            return (nil, shared.outgoing.isFull, mustFlush)
        }
        if case .failed(let error) = end { throw error }
        if mustFlush { core.loop.execute { [self] in flush() } }
        return isFull
    }

    /// Hands over the one request of a call that has no more.
    func sendOnly(_ frame: [UInt8]) {
        shared.withLock { shared in
            shared.outgoing.append(frame)
            shared.outgoing.finish()
        }
    }

    func finishSending() {
        let mustFlush = shared.withLock { shared in
            shared.outgoing.finish()
            defer { shared.flushIsPending = true }
            return !shared.flushIsPending && shared.end == nil
        }
        if mustFlush { core.loop.execute { [self] in flush() } }
    }

    func receive() async throws(RPCError) -> [UInt8]? {
        if let ready = takeReceived() { return try ready.get() }
        let received = await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Received, Never>) in
                let ready = shared.withLock { shared -> Received? in
                    if let ready = Self.next(&shared) { return ready }
                    precondition(shared.receiver == nil, "one task at a time reads a call")
                    shared.receiver = continuation
                    return nil
                }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            cancel()
        }
        creditIfDue()
        return try received.get()
    }

    func initialMetadata() async throws(RPCError) -> Metadata {
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Result<Metadata, RPCError>, Never>) in
                let ready = shared.withLock { shared -> Result<Metadata, RPCError>? in
                    if let metadata = shared.initialMetadata { return .success(metadata) }
                    switch shared.end {
                    case .failed(let error): return .failure(error)
                    case .ok: return .success(Metadata())
                    case nil: break
                    }
                    precondition(shared.metadataWaiter == nil, "one task at a time waits for the metadata of a call")
                    shared.metadataWaiter = continuation
                    return nil
                }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            cancel()
        }
        return try result.get()
    }

    var trailers: Metadata { shared.withLock { $0.trailers } }

    func cancel() {
        core.loop.execute { [self] in end(CallState.cancelled) }
    }

    /// What can be handed out at once.
    private func takeReceived() -> Received? {
        let ready = shared.withLock { Self.next(&$0) }
        if ready != nil { creditIfDue() }
        return ready
    }

    private static func next(_ shared: inout Shared) -> Received? {
        if let message = shared.incoming.take() { return .success(message) }
        switch shared.end {
        case .ok: return .success(nil)
        case .failed(let error): return .failure(error)
        case nil: return nil
        }
    }

    /// Has the loop tell the server of the room that taken messages have left.
    private func creditIfDue() {
        let isDue = shared.withLock { shared in
            guard shared.end == nil, !shared.creditIsPending, shared.incoming.creditIsDue else { return false }
            shared.creditIsPending = true
            return true
        }
        guard isDue else { return }
        core.loop.execute { [self] in
            let bytes = shared.withLock { shared in
                shared.creditIsPending = false
                return shared.incoming.takeCredit()
            }
            credit(bytes)
        }
    }

    // MARK: On the loop

    var waitsForReady: Bool { state.settings.waitsForReady }
    var isOver: Bool { isEnded }

    /// Begins.
    func start() {
        guard !isEnded else { return }
        guard state.startTimer(on: core.loop, { [self] in end(CallState.deadlineExceeded) }) else {
            return end(CallState.deadlineExceeded)
        }
        core.start(self)
    }

    func open(on connection: ClientConnection) {
        machine = ResponseMachine()
        hasSentEnd = false
        stream = connection.open(headers: state.headers(on: connection, loop: core.loop), body: nil, delegate: self)
        guard stream != nil else {
            return retry(orFailWith: RPCError(code: .unavailable, message: "the connection takes no more calls"))
        }
        flush()
    }

    func fail(_ error: RPCError) {
        finish(.failed(error), trailers: Metadata())
    }

    /// Moves what waits into the stream, as far as that has room, and lets the sender go on.
    private func flush() {
        shared.withLock { $0.flushIsPending = false }
        guard let stream else { return }
        while stream.isWritable, let next = shared.withLock({ $0.outgoing.take() }) {
            stream.sendData(next.frame, endStream: next.isLast)
            hasSentEnd = next.isLast
        }
        let sender = shared.withLock { shared in
            shared.outgoing.isFull ? nil : shared.sender.take()
        }
        sender?.resume()
    }

    /// Ends the call from this side.
    private func end(_ error: RPCError) {
        guard !isEnded else { return }
        stream?.reset(errorCode: HTTP2ErrorCode.cancel)
        // What came before is of no use to a caller who has given up.
        shared.withLock { $0.incoming.drop() }
        finish(.failed(error), trailers: Metadata())
        core.ended(self)
    }

    /// The server did not begin with the call: sends it again, unless that was done too often or too much was sent.
    private func retry(orFailWith error: RPCError) {
        guard !isEnded else { return }
        stream = nil
        let canRewind = shared.withLock { shared in
            guard shared.outgoing.canRewind else { return false }
            shared.outgoing.rewind()
            return true
        }
        guard canRewind, state.mayRetry() else { return finish(.failed(error), trailers: Metadata()) }
        core.start(self)
    }

    /// The call is over: whoever waits hears of it.
    private func finish(_ end: ResponseEnd, trailers: Metadata) {
        guard !isEnded else { return }
        isEnded = true
        state.stopTimer(on: core.loop)
        stream = nil
        let wakes = shared.withLock { shared -> (() -> Void) in
            var end = end
            if case .failed(var error) = end {
                error.metadata = trailers
                end = .failed(error)
            }
            shared.end = end
            shared.trailers = trailers
            shared.outgoing.drop()
            let (receiver, sender, waiter) = (
                shared.receiver.take(), shared.sender.take(), shared.metadataWaiter.take()
            )
            let received = receiver == nil ? nil : Self.next(&shared)
            let metadata: Result<Metadata, RPCError> =
                if case .failed(let error) = end { .failure(error) } else {
                    .success(shared.initialMetadata ?? Metadata())
                }
            return {
                if let received { receiver?.resume(returning: received) }
                sender?.resume()
                waiter?.resume(returning: metadata)
            }
        }
        wakes()
    }
}

extension StreamingCall: HTTP2StreamDelegate {
    func headersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers, endStream: Bool) {
        guard !isEnded else { return }
        let end = machine.head(ResponseHead(headers: headers), endStream: endStream)
        guard let metadata = Metadata(received: headers) else { return self.end(CallState.brokenMetadata) }
        if let end { return finishByServer(end, trailers: metadata) }
        let waiter = shared.withLock { shared in
            shared.outgoing.commit()
            shared.initialMetadata = metadata
            return shared.metadataWaiter.take()
        }
        waiter?.resume(returning: .success(metadata))
    }

    func dataReceived(_ stream: HTTP2Stream, bytes: UnsafeRawBufferPointer, endStream: Bool) {
        guard !isEnded, machine.takesMessages else { return stream.consume(bytes.count) }
        deframer.push(bytes)
        var heldBytes = 0
        do throws(DeframeError) {
            while let message = try deframer.next() {
                heldBytes += message.count + MessageDeframer.prefixBytes
                deliver(message)
            }
        } catch {
            stream.consume(bytes.count)
            return finishByServer(machine.broken(error), trailers: Metadata())
        }
        credit(bytes.count - heldBytes)
        if endStream, let end = machine.endWithoutTrailers(partialBytes: deframer.pendingBytes) {
            finishByServer(end, trailers: Metadata())
        }
    }

    func trailersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers) {
        guard !isEnded else { return }
        guard let metadata = Metadata(received: headers) else { return self.end(CallState.brokenMetadata) }
        if let end = machine.trailers(ResponseHead(headers: headers), partialBytes: deframer.pendingBytes) {
            finishByServer(end, trailers: metadata)
        }
    }

    func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) {
        end(RPCError(code: .resourceExhausted, message: "the server sent more metadata than is taken here"))
    }

    func streamWritable(_ stream: HTTP2Stream) { flush() }

    func streamClosed(_ stream: HTTP2Stream, errorCode: UInt32) {
        // The stream of an attempt before this one says nothing new.
        guard !isEnded, self.stream === stream else { return }
        let mayRepeat = stream.wasSurelyNotProcessed && !machine.isCommitted
        guard let error = machine.closed(errorCode: errorCode, connectionError: stream.connectionError) else { return }
        if mayRepeat { retry(orFailWith: error) } else { finish(.failed(error), trailers: Metadata()) }
    }

    /// Gives a message to whoever waits for it, or keeps it.
    private func deliver(_ message: [UInt8]) {
        let wake = shared.withLock { shared -> (UnsafeContinuation<Received, Never>, Received)? in
            shared.incoming.append(message)
            guard let receiver = shared.receiver.take(), let received = Self.next(&shared) else { return nil }
            return (receiver, received)
        }
        if let (receiver, received) = wake { receiver.resume(returning: received) }
    }

    /// Tells the server that it may send so many bytes more. The count is below zero while more was credited than taken.
    private func credit(_ bytes: Int) {
        creditableBytes += bytes
        guard creditableBytes > 0 else { return }
        stream?.consume(creditableBytes)
        creditableBytes = 0
    }

    /// Ends the call as the server's side says.
    private func finishByServer(_ end: ResponseEnd, trailers: Metadata) {
        if let stream {
            if !stream.remoteEnded {
                stream.reset(errorCode: HTTP2ErrorCode.cancel)
            } else if !hasSentEnd || stream.bufferedBytes > 0 {
                // It has answered and wants no more requests.
                stream.reset(errorCode: HTTP2ErrorCode.noError)
            }
        }
        finish(end, trailers: trailers)
    }
}

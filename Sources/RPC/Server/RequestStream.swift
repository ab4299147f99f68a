import Locks
import Protobuf

/// The requests of a streaming call, in their order. One task takes them, once.
///
/// The client may send more only as messages are taken. While the server drains, what has arrived is still given; then
/// the stream throws UNAVAILABLE.
public struct RequestStream<Request: Message>: AsyncSequence, Sendable {
    public typealias Element = Request
    public typealias Failure = RPCError

    private let queue: RequestQueue

    init(_ queue: RequestQueue) { self.queue = queue }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(queue: queue) }

    /// Takes one request after the other from the call.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let queue: RequestQueue

        public mutating func next() async throws(RPCError) -> Request? { try await next(isolation: nil) }

        public mutating func next(isolation actor: isolated (any Actor)?) async throws(RPCError) -> Request? {
            guard let bytes = try await queue.next(isolation: actor) else { return nil }
            return try decodeRequest(bytes)
        }
    }
}

/// The messages that arrived and were not taken. Flow control bounds them: their bytes are credited only as they are
/// taken.
final class RequestQueue: Sendable {
    /// What `next` comes back with.
    typealias Taken = Result<[UInt8]?, RPCError>

    private struct State {
        /// Those that wait, from `first` on.
        var messages: [[UInt8]] = []
        var first = 0
        /// How the stream ended, to be said after the last message.
        var end: Taken?
        /// The task that waits for a message, while there is none.
        var waiter: CheckedContinuation<Taken, Never>?
        /// Bytes that were taken and not yet reported.
        var takenBytes = 0
    }

    private let state = Protected(State())
    /// Called on the taker's thread with the bytes that were taken and whether nothing is left.
    private let report: @Sendable (_ byteCount: Int, _ idle: Bool) -> Void

    init(report: @escaping @Sendable (_ byteCount: Int, _ idle: Bool) -> Void) { self.report = report }

    /// Whether no message waits for its taker.
    var isIdle: Bool { state.withLock { $0.first == $0.messages.count } }

    /// Adds a message, or hands it to the task that waits for it.
    func push(_ message: [UInt8]) {
        let waiter = state.withLock { state -> CheckedContinuation<Taken, Never>? in
            guard state.end == nil else { return nil }
            if let waiter = state.waiter {
                state.waiter = nil
                return waiter
            }
            state.messages.append(message)
            return nil
        }
        waiter?.resume(returning: .success(message))
    }

    /// Ends the stream; the first end counts. An abort also forgets what was not taken.
    func end(_ end: Taken, aborting: Bool = false) {
        let waiter = state.withLock { state -> CheckedContinuation<Taken, Never>? in
            if aborting {
                state.messages = []
                state.first = 0
                state.end = end
            } else if state.end == nil {
                state.end = end
            }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: end)
    }

    /// The next message, nil after the last, or the error with which the stream ended.
    func next(isolation: isolated (any Actor)?) async throws(RPCError) -> [UInt8]? {
        let taken = await withTaskCancellationHandler {
            await withCheckedContinuation(isolation: isolation) { continuation in wait(continuation) }
        } onCancel: {
            let waiter = state.withLock { state -> CheckedContinuation<Taken, Never>? in
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(returning: .failure(RequestQueue.cancelled))
        }
        return try taken.get()
    }

    /// Gives a message that is there, or keeps the continuation until there is one.
    private func wait(_ continuation: CheckedContinuation<Taken, Never>) {
        var reported: (byteCount: Int, idle: Bool)?
        let taken = state.withLock { state -> Taken? in
            if state.first < state.messages.count {
                let message = state.messages[state.first]
                state.first += 1
                let idle = state.first == state.messages.count
                if idle {
                    state.messages.removeAll(keepingCapacity: true)
                    state.first = 0
                } else if state.first >= 64 {
                    state.messages.removeSubrange(..<state.first)
                    state.first = 0
                }
                state.takenBytes += message.count + MessageDeframer.prefixBytes
                if idle || state.takenBytes >= Limits.creditBytes {
                    reported = (state.takenBytes, idle)
                    state.takenBytes = 0
                }
                return .success(message)
            }
            if let end = state.end { return end }
            if Task.isCancelled { return .failure(RequestQueue.cancelled) }
            precondition(state.waiter == nil, "Two tasks take requests of one call.")
            state.waiter = continuation
            return nil
        }
        if let reported { report(reported.byteCount, reported.idle) }
        if let taken { continuation.resume(returning: taken) }
    }

    /// What a taker sees whose task was cancelled.
    private static var cancelled: RPCError { RPCError(code: .cancelled, message: "the call was cancelled") }
}

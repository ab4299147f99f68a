import Locks
import Protobuf

/// Sends the responses of a streaming call. Several tasks may write; each message stays whole.
public struct ResponseWriter<Response: Message>: Sendable {
    private let call: ServerCall
    private let queue: ResponseQueue

    init(_ call: ServerCall, _ queue: ResponseQueue) {
        self.call = call
        self.queue = queue
    }

    /// Sends one response. It suspends while the client takes responses more slowly than they are written, and throws
    /// when the call has ended: cancelled, its deadline passed, or its connection lost.
    public func write(_ response: Response) async throws(RPCError) {
        try await queue.write(call.frame(response))
    }
}

/// The responses on their way from a handler's thread to the loop's, with the handler held back while they pile up.
final class ResponseQueue: Sendable {
    private struct State {
        /// Framed messages that the loop has not fetched.
        var pending: [[UInt8]] = []
        /// Their bytes.
        var pendingBytes = 0
        /// Whether the loop was told to fetch.
        var isScheduled = false
        /// Whether the stream below has more than it can send.
        var isBlocked = false
        /// Why nothing more can be written.
        var end: RPCError?
        /// Tasks that wait for room.
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Protected(State())
    /// Makes the loop call `fetch`.
    private let schedule: @Sendable () -> Void

    init(schedule: @escaping @Sendable () -> Void) { self.schedule = schedule }

    /// Adds a framed message; comes back when there is room for another, and throws once the call has ended.
    func write(_ message: [UInt8]) async throws(RPCError) {
        let (end, wakes, waits) = state.withLock { state in
            if state.end != nil { return (state.end, false, false) }
            state.pending.append(message)
            state.pendingBytes += message.count
            let wakes = !state.isScheduled
            state.isScheduled = true
            return (nil, wakes, state.isBlocked || state.pendingBytes >= Limits.responseQueueBytes)
        }
        if let end { throw end }
        if wakes { schedule() }
        guard waits else { return }
        await withCheckedContinuation { continuation in
            let isFree = state.withLock { state in
                guard state.end == nil, state.isBlocked || state.pendingBytes >= Limits.responseQueueBytes else {
                    return true
                }
                state.waiters.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
        if let end = state.withLock({ $0.end }) { throw end }
    }

    /// Takes all that was written. On the loop.
    func fetch() -> [[UInt8]] {
        state.withLock { state in
            state.isScheduled = false
            state.pendingBytes = 0
            defer { state.pending = [] }
            return state.pending
        }
    }

    /// Says whether the stream below takes more; lets the waiting tasks go on if so. On the loop.
    func setBlocked(_ isBlocked: Bool) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.isBlocked = isBlocked
            guard !isBlocked else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Ends all writing, now and later, with this error. On the loop.
    func end(_ error: RPCError) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.end = error
            state.pending = []
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

import Locks

/// Brings together a task's cancellation and the call that it is about, whichever comes first.
final class UnaryCanceller: Sendable {
    private enum State {
        case notStarted
        case started(UnaryHandle)
        case cancelled
    }

    private let state = Protected(State.notStarted)

    func started(_ handle: UnaryHandle) {
        let wasCancelled = state.withLock { state in
            if case .cancelled = state { return true }
            state = .started(handle)
            return false
        }
        if wasCancelled { handle.cancel() }
    }

    func cancel() {
        let handle = state.withLock { state -> UnaryHandle? in
            defer { state = .cancelled }
            if case .started(let handle) = state { return handle }
            return nil
        }
        handle?.cancel()
    }
}

/// What the caller holds of a streaming call. When it is let go of the call is cancelled, so that nothing stays open that
/// nobody reads.
final class StreamHandle: CallStream {
    private let call: StreamingCall

    init(_ call: StreamingCall) {
        self.call = call
    }

    deinit { call.cancel() }

    func send(_ message: [UInt8]) async throws(RPCError) { try await call.send(MessageFraming.frame(message)) }

    func finishSending() { call.finishSending() }

    func receive() async throws(RPCError) -> [UInt8]? { try await call.receive() }

    func initialMetadata() async throws(RPCError) -> Metadata { try await call.initialMetadata() }

    var trailers: Metadata { call.trailers }

    func cancel() { call.cancel() }
}

/// A streaming call that an interceptor refused before it began.
final class RefusedStream: CallStream {
    private let error: RPCError

    init(_ error: RPCError) {
        self.error = error
    }

    func send(_ message: [UInt8]) async throws(RPCError) { throw error }

    func finishSending() {}

    func receive() async throws(RPCError) -> [UInt8]? { throw error }

    func initialMetadata() async throws(RPCError) -> Metadata { throw error }

    var trailers: Metadata { Metadata() }

    func cancel() {}
}

import HTTP2

/// One connection of a server: each stream that its client opens becomes a gRPC exchange. Confined to its loop's
/// thread.
final class GRPCConnection: HTTP2ConnectionHandler {
    private let home: ServerLoop

    init(home: ServerLoop) { self.home = home }

    func streamOpened(_ stream: HTTP2Stream) -> any HTTP2StreamDelegate {
        GRPCExchange.make(home: home, stream: stream)
    }

    func connectionClosed(_ connection: HTTP2Connection, error: HTTP2Error) {}
}

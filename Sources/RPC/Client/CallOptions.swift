/// What may differ from one call to the next.
public struct CallOptions: Sendable {
    /// How long the call may take, from the moment it is made. The server is told (`grpc-timeout`) and the client enforces it too.
    /// Nil uses the channel's default; a call without any may last for ever.
    public var timeout: Duration?
    /// Metadata sent with the request, after the channel's own.
    public var metadata: Metadata
    /// Waits for a connection instead of failing with UNAVAILABLE while no server can be reached. Best with a `timeout`.
    public var waitForReady: Bool
    /// The largest response message that is accepted, in bytes. Nil uses the channel's limit.
    public var maxResponseBytes: Int?

    /// Options of one call; every one has a default.
    public init(
        timeout: Duration? = nil, metadata: Metadata = Metadata(), waitForReady: Bool = false,
        maxResponseBytes: Int? = nil
    ) {
        self.timeout = timeout
        self.metadata = metadata
        self.waitForReady = waitForReady
        self.maxResponseBytes = maxResponseBytes
    }
}

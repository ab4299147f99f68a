/// Bounds of this module, in one place. Each is a default where a configuration may say otherwise.
package enum Limits {
    /// The largest message taken or sent, in bytes, without its 5-byte prefix.
    package static let messageBytes = 4 << 20
    /// The longest `grpc-message` sent, in bytes before percent-encoding; nghttp2 refuses header blocks over 64 KiB.
    package static let statusMessageBytes = 4 << 10
    /// The longest `grpc-status-details-bin` sent, in bytes before base64; a longer one is left out.
    package static let statusDetailsBytes = 16 << 10
    /// The most entries that one `Metadata` holds.
    package static let metadataEntries = 256
    /// The most bytes of metadata, counted as name + value + 32, that are sent with one call.
    package static let metadataBytes = 32 << 10

    /// Calls under way on one server, beyond which further ones are refused with UNAVAILABLE.
    package static let concurrentCalls = 20_000
    /// Of those, callers without a key may have a part of so many: explorers of the schema, and whoever opens streams to have
    /// them open.
    static let strangersPart = 8
    /// When a refused caller may try again, in milliseconds, as `RetryInfo` tells it.
    package static let retryAfterMs: Int64 = 200
    /// Taken request bytes that are gathered before the client is told of the room.
    package static let creditBytes = 32 << 10
    /// Calls that one tenant may cancel on a loop, at once and each second, beside as many as it lets end.
    package static let cancelBurst = 6_000
    package static let cancelsPerSecond = 200
    /// When a tenant that has cancelled too much may try again, as `RetryInfo` tells it, in milliseconds.
    static let cancelRetryAfterMs: Int64 = 1_000
    /// Bytes of requests that are not whole, or that no handler has taken, on one loop. One call may have a fourth of what
    /// all together leave free.
    package static let gatheredBytes = 256 << 20
    static let gatheredShare = 4
    /// Response bytes that a streaming handler may write before it waits for the loop to fetch them.
    package static let responseQueueBytes = 64 << 10
    /// Request heads that a loop remembers, a power of two, and how many bytes of headers one of them may have.
    package static let keptHeads = 16_384
    package static let keptHeadBytes = 1 << 10
    /// Exchanges that ended and that a loop keeps to use their memory again, and what each keeps for messages in pieces.
    package static let sparedExchanges = 1_024
    package static let sparedDeframerBytes = 4 << 10
    /// What a loop keeps of the memory in which it encodes responses.
    package static let keptWriterBytes = 1 << 20
    /// How many health watchers there may be at a time; the next is refused with RESOURCE_EXHAUSTED.
    package static let healthWatchers = 1_000
    /// Requests that one reflection stream may have answered.
    package static let reflectionRequests = 10_000
    /// Loop threads of one server.
    package static let serverLoops = 64
}

/// The bounds of the command.
enum Limits {
    /// Rows of a trace; about 240 MB of memory at the most.
    static let traceRows = 5_000_000
    /// Bytes of one line of a trace.
    static let traceLineBytes = 4_096
    /// Bytes of a trace that are read at once.
    static let traceChunkBytes = 1 << 16
    /// The most tokens of one kind that one row may count.
    static let traceTokens: Int64 = 1_000_000_000
    /// Calls that a replay may have in flight.
    static let replayConcurrency = 4_096
    /// Different kinds of failed rows that a replay tells apart; further ones are counted under one name.
    static let failureKinds = 32
    /// How long a replay may try one step again, in seconds.
    static let retrySeconds = 3_600
    /// Waits between the tries of one step, in milliseconds.
    static let retryFirstMs: Int64 = 50
    static let retryLongestMs: Int64 = 1_000
    /// How long one call of a command may take, in seconds.
    static let callSeconds = 30
    /// Entries of a list that are asked for at once, and that are shown unless `--limit` says otherwise.
    static let pageSize = 1_000
    static let listed = 1_000
    /// The most that `--limit` may ask for.
    static let listedAtMost = 100_000
    /// How large `serve` may be told to take requests, in bytes.
    static let requestBytes = 1_024...256 << 20
    /// Threads that `serve` may be told to have for connections.
    static let loops = 1...64
    /// What `serve` may be told of its connections.
    static let connections = 1...1_000_000
    static let peerSeconds = 1...86_400
    static let perSecond = 1...1_000_000
    /// How long `serve` lets calls under way finish, in seconds. The end as a whole takes ten at most: the engine brings the
    /// shards up to the journal in what is left.
    static let graceSeconds = 3
    static let graceSecondsAtMost = 600
    /// The widest name that is still compared with the known ones to suggest one.
    static let suggestedNameBytes = 64
    /// What `bench book` may be told to write; the bound for one tenant keeps the numbers of its flushes small.
    static let bookTenants = 1...1_000_000
    static let bookEntries = 10_000_000_000
    static let bookEntriesPerTenant = 10...10_000_000
}

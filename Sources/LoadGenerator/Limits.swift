/// The bounds of what users may ask for.
package enum LoadLimits {
    /// Connections of a run.
    package static let connections = 1...4_096
    /// Calls in flight on one connection: what servers allow as a rule.
    package static let inFlight = 1...1_000
    /// Tenants that `prepare` makes and that a run takes in turn: what six digits can number.
    package static let tenants = 1...1_000_000
    /// How long a run measures, and how long it warms up before, in seconds.
    package static let seconds = 1...86_400
    package static let warmupSeconds = 0...3_600
    /// Steps per second that a run may be held to.
    package static let rate = 1...10_000_000
    /// How long callers may wait, in milliseconds.
    package static let deadlineMs = 1...60_000
    /// Steps of one Batch: what the schema allows.
    package static let batchSize = 1...1_000
    /// How long `sync` may measure, in seconds, and how much it may write at once, in bytes.
    package static let syncSeconds = 1...3_600
    package static let syncBytes = 512...8 << 20
}

/// The other bounds of this module.
enum Limits {
    /// Steps in flight over all connections, which bounds the memory of a run.
    static let stepsInFlightMax = 1 << 20

    /// How long a connection may take to be made, in milliseconds.
    static let connectTimeoutMs: Int32 = 5_000
    /// How long the last answers may take after the run's end.
    static let drainNs: Int64 = 30_000_000_000
    /// The longest sleep between two looks at the clock, in milliseconds.
    static let turnMsMax: Int64 = 100
    /// A paced run begins what became due in such spans together: to wake for each call would cost more than the call.
    static let paceTickNs: Int64 = 200_000
    /// How often each connection of a paced run begins calls, or a little less often: in each tick would be a write for every few
    /// calls.
    static let pacePeriodNs: Int64 = 1_000_000
    /// Calls that the modest tenant beside a flood may have in flight.
    static let modestLanes = 64

    /// What one read takes from a socket, and what one write gives to it; shared by all connections.
    static let readBufferBytes = 256 * 1024
    static let writeBufferBytes = 256 * 1024
    /// The largest frame that is sent, with its header.
    static let frameBytesMax = 16 * 1024 + 9
    /// Readiness reports taken from the kernel at once.
    static let eventsPerTurnMax = 256
    /// The largest answer that is taken; a Batch of 1,000 steps has some 150 KB.
    static let responseBytesMax = 4 << 20
    /// Bytes that the server may send on one stream, and on one connection, before more room is made: never what bounds a run.
    static let streamWindowBytes: Int32 = 16 << 20
    static let connectionWindowBytes: Int32 = 1 << 30
    /// Characters of the first error that are shown.
    static let errorTextCountMax = 300
    /// The file that `sync` overwrites in place, in bytes: a journal's segment.
    static let syncFileBytes = 64 << 20
}

/// How a server bounds what waits, and shares itself out while it has more to do than it can.
///
/// Work is counted in units of one step or so: a call has one, and one more for each `workBytes` of its message.
package struct OverloadLimits: Sendable {
    /// What calls run in one turn of a loop; what goes beyond waits in the tenants' lines.
    package var workPerTurn = 1_024
    /// The same of those that wait, while several tenants are there: the shorter the turn, the sooner it is another's.
    package var contendedWorkPerTurn = 64
    /// What one tenant runs in a turn as it arrives, while others are there.
    package var shareWorkPerTurn = 64
    /// The same of its streams, whose steps cost less.
    package var streamedWorkPerTurn = 256
    /// What one tenant that waits runs before the next one's turn.
    package var workPerVisit = 16
    /// For how long tenants are remembered to be several.
    package var contentionNs: Int64 = 1_000_000_000
    /// How long calls may wait for their turn: no more are taken than can be run in this time, and none of them is run later.
    package var waitNs: Int64 = 100_000_000
    /// What may wait however slow the machine is.
    package var leastWaitingWork = 512
    /// Steps of streams that are read and not answered, on one loop; and what each stream may have of them in any case.
    package var streamedSteps = 65_536
    package var streamedStepsOfEach = 64
    /// Spans of time in which refusals are counted.
    package var windowNs: Int64 = 100_000_000
    /// Refusals, in percent of the steps that could be run in a span, above which clients are told to have fewer streams open.
    /// A refusal costs a third of a step: these cost 5 % of a loop's time.
    package var refusalPercent = 15
    /// What they are told at least; and what keeps a loop busy that never pauses: so many of the calls of a span, in percent, are
    /// open at a time. More would wait for each other and be no faster.
    package var leastStreams: UInt32 = 16
    package var enoughPercent = 15

    static let workBytesShift = 8
    /// Shares of tenants that have nothing under way are forgotten from here on.
    static let keptShares = 1_024
    /// How slow a step is taken to be at the beginning, and at the most.
    static let firstNsPerWork: Int64 = 10_000
    static let mostNsPerWork: Int64 = 1_000_000

    package init() {}

    /// The work of a call whose message is so long.
    static func work(byteCount: Int) -> Int { 1 + byteCount >> workBytesShift }
}

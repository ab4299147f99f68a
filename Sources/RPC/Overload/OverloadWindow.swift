/// Counts refusals in spans of time, and says what follows from them: how long refused callers are told to wait, and how many
/// streams clients may have open.
///
/// A refusal costs a third of a step: where many are refused nothing is left for steps. A client that may not open a
/// stream keeps its call to itself, which costs the server nothing; so streams get fewer, by half at a time, until the
/// refusals cost little, and come back slowly.
struct OverloadWindow {
    private let limits: OverloadLimits
    private let mostStreams: UInt32
    private var refused = 0
    private var taken = 0
    /// Doublings of the time after which to try again.
    private(set) var level = 0
    /// Streams that a client may have open.
    private(set) var streams: UInt32

    init(_ limits: OverloadLimits, mostStreams: UInt32) {
        self.limits = limits
        self.mostStreams = mostStreams
        streams = mostStreams
    }

    mutating func countTaken() { taken += 1 }

    mutating func countRefused() { refused += 1 }

    /// A span is over, in which a unit of work took so long.
    /// - Returns: whether the next is to be ended too; where not nothing is counted before the next refusal.
    mutating func end(nsPerWork: Int64) -> Bool {
        let borne = Int(limits.windowNs / max(1, nsPerWork)) * limits.refusalPercent / 100
        let excess = 1 + refused / max(1, taken)
        level = min(OverloadAnswers.levels - 1, Int.bitWidth - 1 - excess.leadingZeroBitCount)
        if refused > borne {
            streams = min(streams, max(limits.leastStreams, streams / 2))
        } else if refused * 4 <= borne {
            streams = min(mostStreams, streams + max(1, streams / 16))
        }
        let goesOn = refused > 0 || streams < mostStreams
        refused = 0
        taken = 0
        return goesOn
    }
}

/// Counts refusals in spans of time, and says what follows from them: how long refused callers are told to wait, and how many
/// streams clients may have open.
///
/// A refusal costs a third of a step: where many are refused nothing is left for steps. And more calls than keep the loop busy
/// make nothing faster, but each later, and slower too, as more lies in memory than the processor's caches hold. A client that
/// may not open a stream keeps its call to itself, which costs the server nothing; so streams get fewer, by half at a time,
/// until refusals cost little and no more wait than are needed, and come back slowly.
struct OverloadWindow {
    private let limits: OverloadLimits
    private let mostStreams: UInt32
    private var refused = 0
    private var taken = 0
    /// The least that was waiting at the end of a turn; nil where nothing waited.
    private var leastWaiting: Int?
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

    mutating func noteWaiting(_ work: Int) { leastWaiting = min(leastWaiting ?? work, work) }

    /// A span is over, in which a unit of work took so long, and so many might have waited.
    /// - Parameter saturating: Where the loop never paused, how many connections kept it busy.
    /// - Returns: whether the next is to be ended too; where not nothing is counted before the next call.
    mutating func end(nsPerWork: Int64, capacityWork: Int, saturating connections: Int?) -> Bool {
        let standing = leastWaiting ?? 0
        let borne = Int(limits.windowNs / max(1, nsPerWork)) * limits.refusalPercent / 100
        let excess = 1 + refused / max(1, taken)
        level = min(OverloadAnswers.levels - 1, Int.bitWidth - 1 - excess.leadingZeroBitCount)
        let enough = connections.map {
            max(limits.leastStreams, UInt32(taken * limits.enoughPercent / 100 / max(1, $0)))
        }
        if refused > borne || standing > capacityWork / 4 || streams > enough ?? .max {
            streams = min(streams, max(enough ?? limits.leastStreams, streams / 2))
        } else if refused * 4 <= borne, standing <= capacityWork / 16 {
            streams = min(enough ?? mostStreams, mostStreams, streams + max(1, streams / 16))
        }
        let goesOn = refused > 0 || taken > 0 || leastWaiting != nil || streams < mostStreams
        leastWaiting = nil
        refused = 0
        taken = 0
        return goesOn
    }
}

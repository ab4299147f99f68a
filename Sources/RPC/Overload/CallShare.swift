import HTTP2
import Locks

/// What one tenant takes of a loop: its calls under way and those that wait for their turn. Of calls without a tenant: one
/// key, or all that nobody is known of.
///
/// Confined to its loop's thread; that is why it is `Sendable`. `@exclusivity(unchecked)`: as in `HTTP2Stream`.
final class CallShare: @unchecked Sendable {
    /// Calls that were taken and have not ended.
    @exclusivity(unchecked) var underWay = 0
    /// Steps of its streams that are read and not answered.
    @exclusivity(unchecked) var streamedSteps = 0
    /// The turn in which it last ran something, and the work of that.
    @exclusivity(unchecked) private var turnNs = Int64.min
    @exclusivity(unchecked) private var turnWork = 0
    /// Calls that wait, from `first` on.
    @exclusivity(unchecked) private var waiting: [WaitingCall] = []
    @exclusivity(unchecked) private var first = 0
    @exclusivity(unchecked) private(set) var waitingWork = 0
    /// Whether it stands in its loop's line.
    @exclusivity(unchecked) var isInLine = false

    /// What it ran in the turn that began then.
    func work(inTurn nowNs: Int64) -> Int { turnNs == nowNs ? turnWork : 0 }

    func ran(_ work: Int, inTurn nowNs: Int64) {
        if turnNs != nowNs {
            turnNs = nowNs
            turnWork = 0
        }
        turnWork += work
    }

    func append(_ call: WaitingCall) {
        waiting.append(call)
        waitingWork += call.work
    }

    func popFirst() -> WaitingCall? {
        guard first < waiting.count else { return nil }
        let call = waiting[first]
        first += 1
        waitingWork -= call.work
        if first == waiting.count || first >= 64 && first * 2 >= waiting.count {
            waiting.removeFirst(first)
            first = 0
        }
        return call
    }

    /// What its calls may cancel; nil before the first was. See `CallShare+Cancels`.
    @exclusivity(unchecked) var cancels: TokenBucket?

    /// Nobody asks after it.
    var isIdle: Bool {
        underWay == 0 && streamedSteps == 0 && !isInLine && cancels?.isFull(nowNs: monotonicNs()) ?? true
    }
}

/// A call whose request is whole and that waits for its turn.
struct WaitingCall {
    let call: ServerCall
    let work: Int
    /// When it had surely arrived.
    let sinceNs: Int64
}

/// The shares of a loop by the names of tenants.
struct ShareTable {
    private var shares: [String: CallShare] = [:]
    private var sweepCount = OverloadLimits.keptShares

    /// The share of that name, made where there is none.
    mutating func share(named name: String) -> CallShare {
        if let share = shares[name] { return share }
        // Those that heads of calls still name are kept: a tenant never has two.
        if shares.count >= sweepCount {
            for name in Array(shares.keys) {
                guard var share = shares.removeValue(forKey: name) else { continue }
                if !share.isIdle || !isKnownUniquelyReferenced(&share) { shares[name] = share }
            }
            sweepCount = max(OverloadLimits.keptShares, shares.count * 2)
        }
        let share = CallShare()
        shares[name] = share
        return share
    }

    var count: Int { shares.count }
}

/// Whose turn it is on a loop that has more to run than one turn should hold.
///
/// A call runs as it arrives unless its tenant, or all together, have run enough in this turn of the loop. Those that wait
/// are run in the next turns, a little of each tenant in turn (deficit round robin), so that who floods a server waits behind
/// itself. What may wait is bounded by time: no more than the measured pace can run within `waitNs`. Of that one tenant beside
/// others has as much as it leaves free (Choudhury and Hahne's dynamic threshold), a half at most, so that they find room.
///
/// It holds the order only and knows no clock: a turn is named by the time at which it began.
struct CallLine {
    private let limits: OverloadLimits
    /// The tenants that wait, from `first` on.
    private var shares: [CallShare] = []
    private var first = 0
    private(set) var waitingWork = 0
    /// The turn, what it ran as it arrived, and of those that wait.
    private var turnNs = Int64.min
    private var turnWork = 0
    private var servedWork = 0
    /// What is left of the visit of the first that waits.
    private var visitWork: Int
    /// Whose call was the last, and how long several are there.
    private var latest: ObjectIdentifier?
    private var contendedUntilNs = Int64.min
    /// How long a unit of work took lately, while there was always something to do.
    private(set) var nsPerWork = OverloadLimits.firstNsPerWork

    init(_ limits: OverloadLimits) {
        self.limits = limits
        visitWork = limits.workPerVisit
    }

    /// What may wait.
    var capacityWork: Int { max(limits.leastWaitingWork, Int(limits.waitNs / max(1, nsPerWork))) }

    /// Whether a further call of this tenant would wait too long, or take the room of others.
    @inline(__always)
    func isFull(for share: CallShare, nowNs: Int64) -> Bool {
        guard waitingWork > 0 else { return false }
        let own = nowNs < contendedUntilNs ? share.waitingWork : 0
        guard own + waitingWork > capacityWork else { return false }
        // Who waits for nothing has its turn at once, unless there are very many of them.
        return share.isInLine || waitingWork > capacityWork * 2
    }

    /// Whether a call that arrives may run now, in the turn that began then; where not it is to be added.
    /// - Parameter wasBusy: The turn before left something behind, so that the loop did not sleep since.
    @inline(__always)
    mutating func mayRun(_ share: CallShare, work: Int, nowNs: Int64, wasBusy: Bool = false) -> Bool {
        if nowNs != turnNs { beginTurn(nowNs, wasBusy) }
        note(share, nowNs)
        let most = nowNs < contendedUntilNs ? limits.shareWorkPerTurn : limits.workPerTurn
        guard !share.isInLine, turnWork < limits.workPerTurn, share.work(inTurn: nowNs) < most else { return false }
        share.ran(work, inTurn: nowNs)
        turnWork += work
        return true
    }

    /// Whether a stream may give its handler a further message in this turn.
    mutating func mayStream(_ share: CallShare, nowNs: Int64) -> Bool {
        note(share, nowNs)
        return nowNs >= contendedUntilNs || share.work(inTurn: nowNs) < limits.streamedWorkPerTurn
    }

    /// Has a call wait for its turn.
    mutating func add(_ call: WaitingCall, of share: CallShare) {
        share.append(call)
        waitingWork += call.work
        guard !share.isInLine else { return }
        share.isInLine = true
        shares.append(share)
    }

    /// Who is to be run next; nil where nobody waits, or this turn has run enough.
    mutating func next(nowNs: Int64) -> WaitingCall? {
        if nowNs != turnNs { beginTurn(nowNs, false) }
        let most = nowNs < contendedUntilNs ? limits.contendedWorkPerTurn : limits.workPerTurn
        guard servedWork < most else { return nil }
        while first < shares.count {
            if visitWork > 0, let call = shares[first].popFirst() {
                waitingWork -= call.work
                visitWork -= call.work
                servedWork += call.work
                return call
            }
            endVisit()
        }
        return nil
    }

    /// The one that was taken last had ended already and cost nothing.
    mutating func cameToNothing(_ work: Int) { servedWork -= work }

    /// Forgets all who wait.
    mutating func removeAll() {
        while first < shares.count {
            while let call = shares[first].popFirst() { waitingWork -= call.work }
            endVisit()
        }
    }

    private mutating func endVisit() {
        let share = shares[first]
        first += 1
        visitWork = limits.workPerVisit
        if share.waitingWork > 0 { shares.append(share) } else { share.isInLine = false }
        if first == shares.count || first >= 64 && first * 2 >= shares.count {
            shares.removeFirst(first)
            first = 0
        }
    }

    private mutating func note(_ share: CallShare, _ nowNs: Int64) {
        let one = ObjectIdentifier(share)
        guard one != latest else { return }
        if latest != nil { contendedUntilNs = nowNs + limits.contentionNs }
        latest = one
    }

    private mutating func beginTurn(_ nowNs: Int64, _ wasBusy: Bool) {
        let work = turnWork + servedWork
        if waitingWork > 0 || wasBusy, work > 0 {
            let sample = min(OverloadLimits.mostNsPerWork, max(0, nowNs - turnNs) / Int64(work))
            nsPerWork = max(1, nsPerWork + (sample - nsPerWork) / 16)
        }
        turnNs = nowNs
        turnWork = 0
        servedWork = 0
    }
}

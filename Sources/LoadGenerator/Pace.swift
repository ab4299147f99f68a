/// When a paced run begins its calls: evenly, whatever becomes of those before. Lanes that have nothing to do wait here.
struct Pace {
    private let nsPerCall: Double
    private let startNs: Int64
    private var begun = 0
    /// The lanes that wait, from `firstIdle` on; what stands before is cleared away now and then.
    private var idle: [LanePointer] = []
    private var firstIdle = 0

    init(callsPerSecond: Double, startNs: Int64) {
        nsPerCall = 1e9 / callsPerSecond
        self.startNs = startNs
    }

    mutating func wait(_ lane: LanePointer) { idle.append(lane) }

    /// When the next call is due, at the end of its tick.
    var nextDueNs: Int64 {
        let dueNs = Int64(Double(begun) * nsPerCall)
        return startNs + (dueNs / Limits.paceTickNs + 1) * Limits.paceTickNs
    }

    /// A lane for the next call that is due, and when it should have begun. A call that is due while no lane is free begins
    /// late, and its time counts from when it was due.
    mutating func next(nowNs: Int64) -> (lane: LanePointer, dueNs: Int64)? {
        let dueNs = nextDueNs
        guard dueNs <= nowNs, firstIdle < idle.count else { return nil }
        begun += 1
        return (takeIdle(), dueNs)
    }

    /// When the next call of a run under overload should have begun, if that is over; what it is to begin with is taken from
    /// those that wait and whose connection has room. A call that finds none is given up.
    mutating func nextOrGivenUp(nowNs: Int64) -> (lane: LanePointer?, dueNs: Int64)? {
        let dueNs = nextDueNs
        guard dueNs <= nowNs else { return nil }
        begun += 1
        for _ in 0..<Limits.roomTriesMax where firstIdle < idle.count {
            let lane = takeIdle()
            if lane.pointee.carrier.hasRoom { return (lane, dueNs) }
            idle.append(lane)
        }
        return (nil, dueNs)
    }

    private mutating func takeIdle() -> LanePointer {
        let lane = idle[firstIdle]
        firstIdle += 1
        if firstIdle > Limits.paceGoneLanesMax, firstIdle * 2 > idle.count {
            idle.removeFirst(firstIdle)
            firstIdle = 0
        }
        return lane
    }

    /// Gives up the calls that are due for so long already that their callers wait no more.
    /// - Returns: how many.
    mutating func giveUp(after deadlineNs: Int64, nowNs: Int64) -> Int {
        let last = Int(Double(nowNs - deadlineNs - startNs) / nsPerCall)
        guard last > begun else { return 0 }
        defer { begun = last }
        return last - begun
    }

    /// Takes all lanes that wait.
    mutating func takeAll() -> [LanePointer] {
        defer {
            idle = []
            firstIdle = 0
        }
        return Array(idle[firstIdle...])
    }

    var hasIdleLanes: Bool { firstIdle < idle.count }

    /// When there is something to begin, and with what.
    var wakeNs: Int64 { hasIdleLanes ? nextDueNs : .max }
}

/// When a paced run begins its calls: evenly, whatever becomes of those before. Lanes that have nothing to do wait here.
///
/// Connections take turns: each begins calls about once in `Limits.pacePeriodNs`, as a client sends what its own loop has
/// gathered; a tick has those whose turn it is, and others only where these have no lane left. Of a connection's lanes the one
/// that came last goes first, so that a hold lives no longer than where lanes never wait: else a step would cost more the more
/// of them wait, and a run under overload would measure that.
struct Pace {
    /// The lanes of one connection that wait.
    private struct Idle {
        unowned(unsafe) let carrier: any LaneCarrier
        var lanes: [LanePointer] = []
    }

    private let nsPerCall: Double
    private let startNs: Int64
    private var begun = 0
    private var idle: [Idle] = []
    private var idleCount = 0
    /// Counts who is asked first.
    private var turn = 0

    init(callsPerSecond: Double, startNs: Int64) {
        nsPerCall = 1e9 / callsPerSecond
        self.startNs = startNs
    }

    mutating func wait(_ lane: LanePointer) {
        if lane.pointee.place < 0 { lane.pointee.place = place(of: lane.pointee.carrier) }
        idle[lane.pointee.place].lanes.append(lane)
        idleCount += 1
    }

    private mutating func place(of carrier: any LaneCarrier) -> Int {
        if let place = idle.lastIndex(where: { $0.carrier === carrier }) { return place }
        idle.append(Idle(carrier: carrier))
        return idle.count - 1
    }

    /// In which tick the next call is due.
    private var nextTick: Int { Int(Int64(Double(begun) * nsPerCall) / Limits.paceTickNs) }

    /// When the next call is due, at the end of its tick.
    var nextDueNs: Int64 { startNs + Int64(nextTick + 1) * Limits.paceTickNs }

    /// A lane for the next call that is due, and when it should have begun. A call that is due while no lane is free begins
    /// late, and its time counts from when it was due.
    mutating func next(nowNs: Int64) -> (lane: LanePointer, dueNs: Int64)? {
        let dueNs = nextDueNs
        guard dueNs <= nowNs, let lane = takeIdle(in: nextTick, where: { _ in true }) else { return nil }
        begun += 1
        return (lane, dueNs)
    }

    /// When the next call of a run under overload should have begun, if that is over; what it is to begin with is taken from
    /// those that wait and whose connection has room. A call that finds none is given up.
    mutating func nextOrGivenUp(nowNs: Int64) -> (lane: LanePointer?, dueNs: Int64)? {
        let dueNs = nextDueNs
        guard dueNs <= nowNs else { return nil }
        let tick = nextTick
        begun += 1
        return (takeIdle(in: tick) { $0.hasRoom }, dueNs)
    }

    private mutating func takeIdle(in tick: Int, where isFit: (any LaneCarrier) -> Bool) -> LanePointer? {
        guard idleCount > 0 else { return nil }
        // Connections of one tick, which stand beside each other; they take turns, and after them come all others.
        let width = (idle.count * Int(Limits.paceTickNs) - 1) / Int(Limits.pacePeriodNs) + 1
        turn += 1
        for step in idle.indices {
            let place = (tick * width + (step < width ? (turn + step) % width : step)) % idle.count
            guard !idle[place].lanes.isEmpty, isFit(idle[place].carrier) else { continue }
            idleCount -= 1
            return idle[place].lanes.popLast()
        }
        return nil
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
            idleCount = 0
        }
        return idle.flatMap(\.lanes)
    }

    var hasIdleLanes: Bool { idleCount > 0 }

    /// When there is something to begin, and with what.
    var wakeNs: Int64 { hasIdleLanes ? nextDueNs : .max }
}

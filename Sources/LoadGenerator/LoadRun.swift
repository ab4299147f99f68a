import CLinux
import Glibc

/// One run of the generator: connections, lanes, and one thread that goes round them, the one that calls `LoadGenerator.run`.
///
/// It warms up, measures, then lets every lane finish what it owes: a run leaves no hold behind.
final class LoadRun {
    private enum Phase {
        case warmingUp, measuring, ending
    }

    private let plan: LoadPlan
    private var tally = Tally()
    private var modest = Tally()
    private let epoll: Int32
    private var carriers: [any LaneCarrier] = []
    /// Lanes that were not told to stop.
    private var liveLanes = 0
    private var pace: Pace?
    private var modestPace: Pace?
    private var phase = Phase.warmingUp
    private var phaseEndNs: Int64 = 0
    private var measured = Stopwatch()

    init(_ plan: LoadPlan) throws(LoadError) {
        let stepsInFlight = (plan.lanes + plan.modestLanes) * plan.stepsPerCall
        guard stepsInFlight <= Limits.stepsInFlightMax else {
            throw .tooMuchInFlight(steps: stepsInFlight, allowed: Limits.stepsInFlightMax)
        }
        self.plan = plan
        epoll = cl_epoll_create()
        guard epoll >= 0 else { throw .system(call: "epoll_create1", errno: errno) }
    }

    deinit { close(epoll) }

    /// Makes the connections, does the work and reports.
    func run() throws(LoadError) -> LoadReport {
        try connect()
        let startNs = monotonicNs()
        if let stepsPerSecond = plan.stepsPerSecond {
            cl_timer_slack(1_000)
            pace = Pace(callsPerSecond: Double(stepsPerSecond) / Double(plan.stepsPerCall), startNs: startNs)
        }
        if let modest = plan.modestPerSecond {
            cl_timer_slack(1_000)
            modestPace = Pace(callsPerSecond: Double(modest), startNs: startNs)
        }
        phaseEndNs = startNs + plan.warmupNs
        if plan.warmupNs == 0 { _ = enterNextPhase(startNs) }
        for carrier in carriers { carrier.forEachLane { next($0, nowNs: startNs) } }
        sendAll()
        turns()
        // Where every connection was lost the time ends here.
        measured.stop()
        return LoadReport(plan, tally, modest: modest, measuredNs: measured.wallNs, cpuNs: measured.cpuNs)
    }

    private func connect() throws(LoadError) {
        let address = try ServerAddress(host: plan.host, port: plan.port)
        let buffers = SharedBuffers()
        let headers = RequestHeaders(
            authority: address.authority, key: plan.key, tenants: plan.tenants + (plan.modestPerSecond == nil ? 0 : 1),
            deadlineNs: plan.deadlineNs)
        let makeCarrier = carrierMaker(headers)
        for number in 0..<plan.connections + (plan.modestHasConnection ? 1 : 0) {
            let carrier = makeCarrier(number)
            carrier.connection = try Connection(
                descriptor: address.connect(), epoll: epoll, number: number, buffers: buffers, follower: carrier)
            carriers.append(carrier)
        }
        liveLanes = plan.lanes + plan.modestLanes
    }

    /// What makes the carrier of each connection; what they share is made here.
    private func carrierMaker(_ headers: RequestHeaders) -> (Int) -> any LaneCarrier {
        let (lanes, tenants, inFlight) = (plan.lanes, plan.tenants, plan.inFlight)
        let script: any CallScript
        switch plan.work {
        case .steps:
            script = PairScript(lanes: lanes + plan.modestLanes, tenants: tenants)
        case .batch: script = BatchScript(lanes: lanes, tenants: tenants, batchSize: plan.batchSize)
        case .balance: script = BalanceScript(tenants: tenants)
        case .echo: script = EchoScript(lanes: lanes, tenants: tenants)
        case .meter:
            let pairs = StepPairs(places: lanes, framing: .meter)
            return { [self] number in
                MeterStream(
                    self, pairs: pairs, headers: headers, tenant: number % tenants, firstLane: number * inFlight,
                    laneCount: inFlight)
            }
        }
        let (modestLanes, modestNumber) = (plan.modestLanes, plan.modestHasConnection ? plan.connections : 0)
        return { [self] number in
            UnaryCalls(
                self, script: script, headers: headers, firstLane: number * inFlight,
                laneCount: number < plan.connections ? inFlight : 0, firstModest: lanes,
                modestCount: number == modestNumber ? modestLanes : 0)
        }
    }

    // MARK: From the lanes

    /// The lane's call is over; `fault` says what was wrong with it.
    @inline(__always)
    func ended(_ lane: LanePointer, fault: String?) {
        let nowNs = monotonicNs()
        lane.pointee.isInFlight = false
        count(lane) { tally in
            let tookNs = nowNs - lane.pointee.beganNs
            if let fault {
                tally.countFailed(fault)
            } else if let deadlineNs = plan.deadlineNs, tookNs > deadlineNs {
                tally.countLate()
            } else {
                tally.countAnswered(afterNs: tookNs)
            }
        }
        next(lane, nowNs: nowNs)
    }

    /// The server did not take the lane's call, or gave it up when its time was over.
    func turnedAway(_ lane: LanePointer, isLate: Bool) {
        lane.pointee.isInFlight = false
        count(lane) { tally in
            if isLate { tally.countLate() } else { tally.countRefused() }
        }
        // At the end nobody tries again: a hold that is left ends by itself.
        if case .ending = phase { liveLanes -= 1 } else { next(lane, nowNs: monotonicNs()) }
    }

    /// Whether calls that a server turns away are what the run is about.
    var isOverload: Bool { plan.deadlineNs != nil }

    var wantsErrorText: Bool { tally.wantsErrorText }

    func countFailed(_ fault: String) { tally.countFailed(fault) }

    @inline(__always)
    private func count(_ lane: LanePointer, _ body: (inout Tally) -> Void) {
        if lane.pointee.isModest { body(&modest) } else { body(&tally) }
    }

    /// The lane cannot go on, since its connection is gone or taken down.
    func stopped(_ lane: LanePointer, fault: String) {
        lane.pointee.isInFlight = false
        count(lane) { $0.countFailed(fault) }
        liveLanes -= 1
    }

    /// Has the lane do what is next for it.
    private func next(_ lane: LanePointer, nowNs: Int64) {
        if case .ending = phase {
            guard lane.pointee.carrier.owes(lane) else {
                liveLanes -= 1
                return
            }
        } else if lane.pointee.isModest {
            modestPace?.wait(lane)
            return
        } else if pace != nil {
            pace?.wait(lane)
            return
        }
        lane.pointee.carrier.begin(lane, nowNs: nowNs)
    }

    // MARK: The thread

    private func turns() {
        var events = [cl_event](repeating: cl_event(), count: Limits.eventsPerTurnMax)
        while liveLanes > 0 {
            for index in 0..<waitForEvents(&events) {
                carriers[Int(events[index].data)].connection.ready(events[index].events)
            }
            let nowNs = monotonicNs()
            if nowNs >= phaseEndNs, !enterNextPhase(nowNs) { return }
            beginDue(nowNs)
        }
        finishAll(&events)
    }

    /// Waits for sockets, or for the time of the next call of a paced run.
    private func waitForEvents(_ events: inout [cl_event]) -> Int {
        var timeoutMs = Int32(min(Limits.turnMsMax, max(0, phaseEndNs - monotonicNs()) / 1_000_000 + 1))
        let dueNs = min(pace?.wakeNs ?? .max, modestPace?.wakeNs ?? .max)
        if dueNs < .max {
            // epoll_wait counts in milliseconds, which is too coarse for a pace: the descriptor itself is waited for.
            let leftNs = max(0, dueNs - monotonicNs())
            _ = cl_wait_readable(epoll, min(leftNs, Int64(timeoutMs) * 1_000_000))
            timeoutMs = 0
        }
        let count = events.withUnsafeMutableBufferPointer {
            cl_epoll_wait(epoll, $0.baseAddress, Int32($0.count), timeoutMs)
        }
        precondition(count >= 0 || errno == EINTR, "epoll_wait fails on nothing but a signal")
        return Int(max(0, count))
    }

    /// Begins what a paced run has to begin by now.
    private func beginDue(_ nowNs: Int64) {
        var hasBegun = false
        if let deadlineNs = plan.deadlineNs {
            tally.countUnsent(pace?.giveUp(after: deadlineNs, nowNs: nowNs) ?? 0)
            modest.countUnsent(modestPace?.giveUp(after: deadlineNs, nowNs: nowNs) ?? 0)
        }
        while let (lane, dueNs) = modestPace?.next(nowNs: nowNs) {
            lane.pointee.carrier.begin(lane, nowNs: dueNs)
            hasBegun = true
        }
        while let (lane, dueNs) = isOverload ? pace?.nextOrGivenUp(nowNs: nowNs) : pace?.next(nowNs: nowNs) {
            if let lane { lane.pointee.carrier.begin(lane, nowNs: dueNs) } else { tally.countUnsent(1) }
            hasBegun = true
        }
        if hasBegun { sendAll() }
    }

    private func sendAll() {
        for carrier in carriers { carrier.connection.send() }
    }

    /// Goes from warming up to measuring to ending; false where the end took too long.
    private func enterNextPhase(_ nowNs: Int64) -> Bool {
        switch phase {
        case .warmingUp:
            phase = .measuring
            phaseEndNs = nowNs + plan.measureNs
            measured.start()
            tally.isMeasuring = true
            modest.isMeasuring = true
        case .measuring:
            measured.stop()
            tally.isMeasuring = false
            modest.isMeasuring = false
            phase = .ending
            phaseEndNs = nowNs + Limits.drainNs
            let waiting = (pace?.takeAll() ?? []) + (modestPace?.takeAll() ?? [])
            pace = nil
            modestPace = nil
            for lane in waiting { next(lane, nowNs: nowNs) }
            sendAll()
        case .ending:
            for carrier in carriers {
                carrier.forEachLane { if $0.pointee.isInFlight { stopped($0, fault: "no answer came") } }
            }
            return false
        }
        return true
    }

    /// Lets the streams that outlive their calls end.
    private func finishAll(_ events: inout [cl_event]) {
        for carrier in carriers { carrier.finish() }
        sendAll()
        phaseEndNs = monotonicNs() + Limits.drainNs
        while carriers.contains(where: { !$0.isFinished }) {
            guard monotonicNs() < phaseEndNs else { return tally.countFailed("the server did not end a stream") }
            for index in 0..<waitForEvents(&events) {
                carriers[Int(events[index].data)].connection.ready(events[index].events)
            }
        }
    }
}

/// Time on the wall and on the CPU between two moments.
private struct Stopwatch {
    private(set) var wallNs: Int64 = 0
    private(set) var cpuNs: Int64 = 0
    private var isRunning = false

    mutating func start() {
        isRunning = true
        wallNs = -monotonicNs()
        cpuNs = -processCPUNs()
    }

    mutating func stop() {
        guard isRunning else { return }
        isRunning = false
        wallNs += monotonicNs()
        cpuNs += processCPUNs()
    }
}

extension LoadPlan {
    /// Does what the plan says, on the calling thread, and answers what was found out.
    package func run() throws(LoadError) -> LoadReport { try LoadRun(self).run() }
}

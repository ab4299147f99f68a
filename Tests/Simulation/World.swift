import Engine
import Ledger
import SeededRandom
import SimulatedDisk
import Storage

/// What went wrong, and where the seed's run stood.
package struct SimulationFailure: Error, CustomStringConvertible {
    package let seed: UInt64
    package let step: Int
    package let life: Int
    package let what: String

    package var description: String { "seed \(seed), step \(step), life \(life): \(what)" }
}

/// One seed's world: the true engine on a simulated disk under a simulated clock, its callers, and what all of them know.
///
/// Everything happens on one thread. While the disk does a call other things may happen, as they would on other threads: callers
/// come, another worker takes its turn, time goes by, the power goes.
///
/// `@unchecked Sendable`: the engine's completions hold it, and run on the one thread.
final class World: @unchecked Sendable {
    let seed: UInt64
    let profile: Profile
    let clock: SimulatedClock
    let rules: PlanTable
    var disk: SimulatedDisk
    var random: SeededRandom
    var maker: CommandMaker

    var tenants: [Tenant] = []
    var byName: [TenantID: Tenant] = [:]
    var records = DurableRecords()
    var journal: WatchedJournal!
    var shards: ShardStore!
    var engine: Engine?
    var directory: Directory?
    var promises = Promises()
    var travels = Travels()
    /// Steps and reports that this process dropped, as it said.
    var dropped = 0
    /// Processes so far.
    var life = 0
    var calls: [Int: Call] = [:]
    var callCount = 0
    /// Calls that got no answer, or an error, and that their callers mean to send again.
    var retries: [Call] = []

    /// Tenants' files as they once were.
    var copies: [TenantID: [String: [UInt8]?]] = [:]

    /// The disk fails now and then.
    var isStormy = false
    /// It did in this life.
    var hasStormed = false
    var isStopping = false
    /// Which part of the engine is at work.
    var worker: EngineWorker?
    /// How deep in one another the disk's calls are, with what happens in them.
    var depth = 0
    /// Nothing happens inside calls.
    var isQuiet = false
    /// The power goes at the call that is so many calls away.
    var callsToCrash = 0

    var steps = 0
    var digest = Digest()
    var counts: [String: Int] = [:]
    var failure: SimulationFailure?
    var trace: ((String) -> Void)?

    init(seed: UInt64) {
        self.seed = seed
        random = SeededRandom(seed: seed)
        profile = Profile(&random)
        let start = Instant(microseconds: 1_790_000_000_000_000 + random.amount(0...400) * CommandMaker.day)
        clock = SimulatedClock(start)
        rules = PlanTable(change: start.advanced(microseconds: 20 * CommandMaker.day))
        let diskSeed = random.next()
        disk = SimulatedDisk(seed: diskSeed)
        maker = CommandMaker(random.fork())
        for number in 0..<profile.hotTenants + profile.coldTenants {
            let tenant = Tenant(number)
            tenants.append(tenant)
            byName[tenant.id] = tenant
        }
        watchDisk()
    }

    func watchDisk() {
        disk.beforeCall = { [unowned self] in duringCall() }
    }

    func count(_ what: String, _ number: Int = 1) { counts[what, default: 0] += number }

    func fail(_ what: @autoclosure () -> String) {
        guard failure == nil else { return }
        failure = SimulationFailure(seed: seed, step: steps, life: life, what: what())
    }

    func say(_ what: @autoclosure () -> String) {
        if let trace { trace("\(steps) life \(life): \(what())") }
    }

    /// The process that the callers talk to is there.
    var isAlive: Bool { engine != nil && !disk.isDown }

    // MARK: - Running

    /// Runs until so many steps were asked for and everything has come to rest.
    package func run(steps target: Int) throws(SimulationFailure) {
        start()
        while steps < target, failure == nil {
            if engine == nil { start() }
            turn()
            if disk.isDown { crash() }
        }
        if failure == nil { endInPeace() }
        if let failure { throw failure }
    }

    /// The next thing that happens.
    private func turn() {
        switch random.below(1_000) {
        case 0..<430: if calls.count < profile.callers { act() } else { work(.commit) }
        case 430..<580: work(.commit)
        case 580..<600: if !moveCourier(), random.chance(10) { sendCourier(to: nil) }
        case 600..<710: work(.flush)
        case 710..<840: work(.reader)
        case 840..<880: work(.timer)
        case 880..<900: _ = journal.base.prepareSpare()
        case 900..<985: passTime()
        case 985..<990: jump()
        case 990..<994: if isStormy || random.chance(30) { changeWeather() }
        case 994..<998: register()
        case 998: if random.chance(30) { stop() }
        default: work(.commit)
        }
    }

    func work(_ next: EngineWorker) {
        guard let engine else { return }
        let before = worker
        worker = next
        let hadWork = engine.turn(of: next)
        worker = before
        if hadWork { count("\(next) turns") }
    }

    // MARK: - Time

    private func passTime() {
        switch random.below(20) {
        case 0..<14: clock.pass(microseconds: random.amount(0...20_000))
        case 14..<18: clock.pass(microseconds: random.amount(0...3 * CommandMaker.second))
        case 18: clock.pass(microseconds: random.amount(0...20 * CommandMaker.minute))
        default: clock.pass(microseconds: random.amount(0...6 * CommandMaker.hour))
        }
    }

    /// Somebody sets the clock: to and fro, and to where something ends.
    private func jump() {
        let now = clock.now()
        count("clock jumps")
        switch random.below(10) {
        case 0..<3: clock.jump(to: now.advanced(microseconds: -random.amount(1...2 * CommandMaker.hour)))
        case 3..<8:
            guard let tenant = random.pick(tenants), let end = tenant.book.nextEnd, end > now else { return }
            clock.jump(to: end.advanced(microseconds: random.amount(-1...1)))
        case 8: clock.jump(to: now.advanced(microseconds: random.amount(0...3 * CommandMaker.day)))
        default: clock.jump(to: now.advanced(microseconds: random.amount(0...40 * CommandMaker.day)))
        }
    }

    // MARK: - Inside a call of the disk

    private func duringCall() {
        guard !isQuiet, failure == nil, !disk.isDown else { return }
        callsToCrash -= 1
        if callsToCrash == 0 { return disk.crash(atCall: 1) }
        if isStormy, random.chance(profile.stormPerMille, of: 1_000) { return strike() }
        guard depth < 2, engine != nil, random.chance(profile.meetingsPerMille, of: 1_000) else { return }
        depth += 1
        defer { depth -= 1 }
        count("meetings")
        switch random.below(12) {
        case 0..<6: if calls.count < profile.callers { act() }
        case 6..<8: meet(.commit)
        case 8: meet(.flush)
        case 9: meet(.reader)
        // The directory's file is in use only where no worker of the engine is at work, or deeper.
        case 10: if !isStopping, depth == 1, worker != nil { moveCourier() }
        default: if !isStopping { work(.timer) }
        }
    }

    /// Another worker takes its turn, where that is another thread's and needs nothing that this one has.
    private func meet(_ other: EngineWorker) {
        guard !isStopping, depth == 1, let worker, worker != other else { return }
        if worker == .commit || other == .commit { work(other) }
    }

    /// The next call fails, once.
    private func strike() {
        let errno: Int32 = random.chance(60) ? 5 : 28
        disk.fail(atCall: 1, .once(errno: errno))
        hasStormed = true
        say("strike \(errno)")
        count(errno == 5 ? "EIO" : "ENOSPC")
    }

    private func changeWeather() {
        isStormy.toggle()
        if isStormy, random.chance(30) {
            disk.capacity = disk.usedBytes + random.amount(0...30_000)
            hasStormed = true
            count("full disks")
        } else {
            disk.capacity = nil
        }
    }
}

extension PlainBook {
    /// When something ends by itself next.
    var nextEnd: Instant? {
        var ends = open.map { reservations[$0]!.expiresAt }
        for grant in grants where grant.available > 0 { if let end = grant.expiresAt { ends.append(end) } }
        if let cycleEnd { ends.append(cycleEnd) }
        return ends.min()
    }
}

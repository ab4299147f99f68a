import Engine
import Ledger
import SeededRandom
import SimulatedDisk
import Storage

/// A process begins, and ends: by itself, killed, or with the power of its machine.
extension World {
    /// Starts processes until one stands.
    func start() {
        var refusals = 0
        maybeDamage()
        while failure == nil {
            life += 1
            hasStormed = isStormy
            callsToCrash = random.chance(25) ? random.number(1...80) : random.number(1...2 * profile.callsToCrash)
            do throws(StorageError) {
                try open()
                count("starts")
                say("starts at \(records.count)")
                return afterStart()
            } catch {
                say("no start: \(error)")
                letGo()
                if disk.isDown {
                    count("crashes at start")
                    cutPower()
                    continue
                }
                guard hasStormed, !error.isCorruption else { return fail("it does not start: \(error)") }
                count("starts refused")
                refusals += 1
                endProcess()
                // The bad weather ends before everybody has gone home.
                if refusals > 3 { clearSky() }
            }
        }
    }

    private func open() throws(StorageError) {
        for path in ["/data", "/data/journal", "/data/shards"] where try !disk.exists(path) {
            try disk.makeDirectory(path)
            try disk.syncDirectory("/")
            try disk.syncDirectory("/data")
        }
        var salts = random.fork()
        let salt: @Sendable () -> UInt64 = { [first = salts.next()] in first }
        let base = try LocalJournal(
            directory: "/data/journal", fileSystem: disk, segmentBytes: profile.segmentBytes, spares: .byHand,
            randomSalt: salt)
        journal = WatchedJournal(base, self)
        directory = try Directory(path: "/data/directory.sqlite", fileSystem: disk)
        adoptDoubtful()
        for tenant in tenants { tenant.allAreOver() }
        dropped = 0
        shards = ShardStore(path: "/data/shards", bounds: profile.shards, fileSystem: disk)
        engine = try Engine(
            journal: journal, shards: shards, clock: clock, rules: rules, configuration: profile.engine, observer: self)
        travels.courier = Courier(directory: directory!, office: Office(world: self))
    }

    /// The batch that was under way when the process before this one ended is there whole, or not at all.
    private func adoptDoubtful() {
        let durable = journal.durablePosition
        guard durable >= records.count else {
            return fail("the journal ends at \(durable), and \(records.count) records were durable")
        }
        guard durable > records.count else { return records.doubtful = [] }
        let found = records.doubtful
        guard durable == records.count + UInt64(found.count) else {
            return fail(
                "the journal ends at \(durable): \(records.count) records were durable, \(found.count) in doubt")
        }
        count("batches in doubt that were there")
        becameDurable(found, from: records.count + 1)
    }

    private func afterStart() {
        for tenant in tenants { tenant.stream = nil }
        checkDirectory()
        if random.chance(70) { sendCourier(to: nil) }
        guard random.chance(60) else { return }
        for _ in 0..<random.number(1...6) {
            if let tenant = random.pick(tenants) { look(tenant, deeply: true) }
        }
    }

    // MARK: - Ends

    /// What was going on when the power went, or the process was killed, is over: nobody hears of it any more.
    func crash() {
        count("crashes")
        say("crash: \(disk.struckCall ?? "?")")
        letGo()
        cutPower()
        // Some callers try again, some are gone.
        for number in calls.keys.sorted() where calls[number]!.errand == nil && random.chance(75) {
            retries.append(calls[number]!)
        }
        calls = [:]
        if random.chance(40) { clearSky() }
        if random.chance(20) { clock.pass(microseconds: random.amount(0...10 * CommandMaker.hour)) }
    }

    private func cutPower() {
        switch random.below(4) {
        case 0: disk.endProcess()
        case 1: disk.losePower(.all)
        case 2: disk.losePower(.nothing)
        default: disk.losePower(.some)
        }
    }

    private func endProcess() { disk.endProcess() }

    private func letGo() {
        isQuiet = true
        travels = Travels()
        engine = nil
        directory = nil
        journal = nil
        shards = nil
        isStopping = false
        worker = nil
        isQuiet = false
    }

    func clearSky() {
        isStormy = false
        disk.capacity = nil
    }

    /// The process is asked to end, and does, or is cut off while it does.
    func stop() {
        guard let engine else { return }
        isStopping = true
        engine.stop()
        finishTravels()
        directory?.close()
        isStopping = false
        guard !disk.isDown else { return }
        count("stops")
        if !calls.isEmpty { fail("\(calls.count) calls were not answered when the engine stopped") }
        if engine.dropped != dropped {
            fail("\(engine.dropped) steps were dropped, and \(dropped) callers heard of it")
        }
        if !hasStormed, profile.engine.limits.maxStopFlushMs > 0, engine.pendingRecords > 0 {
            fail("\(engine.pendingRecords) records were left behind by a stop in good weather")
        }
        letGo()
        if random.chance(50) { disk.losePower(.some) } else { disk.endProcess() }
    }

    /// The weather is good, nobody comes any more, and all that was asked must come to its end; then every book is proved.
    func endInPeace() {
        clearSky()
        isQuiet = true
        comeToRest()
        for tenant in tenants where failure == nil {
            look(tenant, deeply: true)
            comeToRest()
            prove(tenant)
            comeToRest()
        }
        for tenant in tenants where failure == nil {
            for command in tenant.history.suffix(20) { submit([command], tenant) }
            comeToRest()
        }
        checkPromises()
        guard failure == nil, let engine else { return }
        if engine.pendingRecords > 0 { fail("\(engine.pendingRecords) records never reached their shards") }
        stop()
        digest.add(disk.digest)
    }

    /// Lets everybody work until nobody has anything to do.
    func comeToRest() {
        guard let engine else { return }
        var idle = 0
        for _ in 0..<200_000 {
            var hadWork = false
            for worker in [EngineWorker.reader, .commit, .flush] where engine.turn(of: worker) { hadWork = true }
            if moveCourier() { hadWork = true }
            if failure != nil { return }
            idle = hadWork ? 0 : idle + 1
            if idle > 20, calls.isEmpty, travels.rounds.isEmpty, engine.pendingRecords == 0 { return }
            if !hadWork { clock.pass(microseconds: 300_000) }
            if idle > 1_000 { break }
        }
        let open = calls.keys.sorted().prefix(3).map { "\(calls[$0]!.commands)" }
        fail("it does not come to rest: \(calls.count) calls, \(engine.pendingRecords) pending: \(open)")
    }
}

extension World: EngineObserver {
    func journalHealth(_ error: StorageError?) { count(error == nil ? "journal works again" : "journal fails") }

    func shardsHealth(_ error: StorageError?) { count(error == nil ? "shards work again" : "shards fail") }

    func storageFault(_ error: StorageError, tenant: TenantID?) {
        say("fault of \(tenant?.description ?? "all"): \(error)")
        guard !disk.isDown else { return }
        count("faults reported")
        if error.isCorruption { fail("damage is reported where none was done: \(error)") }
        if !hasStormed { fail("a fault is reported in good weather: \(error)") }
    }
}

import Engine
import Ledger
import SeededRandom
import SimulatedDisk
import Storage

/// The callers: they ask, wait, ask again, ask for what they asked for long ago, and go away.
extension World {
    /// Somebody does something.
    func act() {
        guard engine != nil, !isStopping || random.chance(30) else { return }
        let tenant = anyTenant()
        switch random.below(100) {
        case 0..<18:
            guard !retries.isEmpty else { return askNew(tenant) }
            let again = retries.remove(at: random.below(retries.count))
            count("retries")
            submit(again.commands, again.tenant)
        case 18..<30: askOld(tenant)
        case 30..<38: askMany(tenant)
        case 38..<43: look(tenant, deeply: random.chance(20))
        case 43..<45: if random.chance(60) { list(tenant) } else { prove(tenant) }
        default: askNew(tenant)
        }
    }

    private func anyTenant() -> Tenant {
        random.chance(80)
            ? tenants[random.below(profile.hotTenants)]
            : tenants[profile.hotTenants + random.below(profile.coldTenants)]
    }

    private func askNew(_ tenant: Tenant) {
        let now = clock.now()
        let isPoor = tenant.book.totals.last!.available < 100 && random.chance(30)
        let command =
            isPoor ? maker.grant(tenant, at: now, random.next() >> 8) : maker.next(for: tenant, at: now)
        submit([command], tenant)
    }

    /// Something that was asked before, long ago or just now, the same or with other contents.
    private func askOld(_ tenant: Tenant) {
        guard let old = random.pick(tenant.history) else { return askNew(tenant) }
        if random.chance(15), let other = maker.altered(old) {
            count("altered")
            return submit([other], tenant)
        }
        count("repeated")
        submit([old], tenant)
    }

    private func askMany(_ tenant: Tenant) {
        var commands: [Command] = []
        for _ in 0..<random.number(2...8) {
            let old = random.chance(20) ? random.pick(tenant.history) : nil
            commands.append(old ?? maker.next(for: tenant, at: clock.now()))
        }
        // Limits are looked up first, and come as calls of their own.
        commands.removeAll { if case .set(let setting) = $0, case .limits = setting.change { true } else { false } }
        guard !commands.isEmpty else { return }
        if random.chance(40) {
            if tenant.stream == nil || tenant.stream!.callCount > 8 { tenant.stream = StepStream() }
            let stream = tenant.stream!
            submit(commands, tenant, stream: (stream, stream.nextCall()))
        } else {
            submit(commands, tenant)
        }
    }

    func submit(
        _ commands: [Command], _ tenant: Tenant, stream: (StepStream, call: Int)? = nil, errand: Errand? = nil
    ) {
        guard let engine else { return }
        steps += commands.count
        for command in commands { tenant.remember(command, isOwed: errand != nil) }
        callCount += 1
        let number = callCount
        let call = Call(
            tenant: tenant, commands: commands, life: life, durable: records.count, stream: stream,
            caller: errand == nil ? nextCaller() : nil, errand: errand?.note)
        if let errand { travels.errands[number] = errand.completion }
        calls[number] = call
        if commands.count == 1, stream == nil {
            engine.submit(commands[0], tenant: tenant.id, caller: call.caller) { [unowned self, life] in
                told(number, life, [$0])
            }
        } else {
            engine.submit(commands, tenant: tenant.id, caller: call.caller, order: stream?.0.order) {
                [unowned self, life] in
                told(number, life, $0)
            }
        }
    }

    /// An answer leaves the server, if that still stands.
    ///
    /// What asks for it knows but numbers: a step that waits behind others when the power goes is never let go of.
    private func told(_ number: Int, _ asked: Int, _ outcomes: [StepOutcome]) {
        guard asked == life, !disk.isDown, failure == nil else { return }
        guard let call = calls.removeValue(forKey: number) else { return fail("call \(number) is answered twice") }
        guard outcomes.count == call.commands.count else {
            return fail("\(outcomes.count) answers to \(call.commands)")
        }
        var left: [Command] = []
        var new: [UInt64] = []
        for (command, outcome) in zip(call.commands, outcomes) {
            switch outcome {
            case .success(let result):
                if let sequence = judge(result, of: command, call) { new.append(sequence) }
                call.tenant.isOver(command)
            case .failure(let error):
                judge(error, of: command, call)
                if error.saysNotDone { isNotDone(command, call) }
                left.append(command)
            }
        }
        if new != new.sorted() { fail("steps of one call are done out of order: \(new)") }
        if let (stream, place) = call.stream, let first = new.first, let last = new.last, first <= last,
            !stream.note(place, first...last)
        {
            fail("calls of one stream are done out of order")
        }
        if let errand = call.errand { wasTold(errand, number, outcomes[0]) }
        if !left.isEmpty, call.errand == nil, random.chance(80) {
            retries.append(Call(tenant: call.tenant, commands: left, life: life, durable: call.durable))
        }
        if retries.count > 200 { retries.removeFirst(retries.count - 200) }
    }

    // MARK: - Looking

    func look(_ tenant: Tenant, deeply: Bool) {
        guard let engine else { return }
        let number = hold(tenant)
        let asked = calls[number]!
        let wanted = tenant.book.sequence
        engine.read(tenant: tenant.id) { state, _ in
            Glance(
                sequence: state.sequence, totals: state.totals, plain: state.openReservationCount,
                snapshot: deeply ? state.snapshot() : nil)
        } completion: { [unowned self] result in
            guard let call = release(number, asked) else { return }
            switch result {
            case .success(let glance): judge(glance, of: tenant, atLeast: wanted)
            case .failure(let error): judge(error, of: nil, call)
            }
        }
    }

    /// A page of the book.
    func list(_ tenant: Tenant) {
        guard let engine else { return }
        let number = hold(tenant, nextCaller())
        let asked = calls[number]!
        let wanted = tenant.book.sequence
        engine.report(tenant: tenant.id, caller: asked.caller) { (shards, id) throws(StorageError) in
            try shards.transactions(id, query: TransactionQuery(limit: 40))
        } completion: { [unowned self] result in
            guard let call = release(number, asked) else { return }
            switch result {
            case .success(let page): judge(page, of: tenant, atLeast: wanted)
            case .failure(let error): judge(error, of: nil, call)
            }
        }
    }

    /// Has the whole book proved.
    func prove(_ tenant: Tenant) {
        guard let engine else { return }
        let number = hold(tenant, nextCaller())
        let asked = calls[number]!
        let wanted = tenant.book.sequence
        engine.report(tenant: tenant.id, caller: asked.caller) { (shards, id) throws(StorageError) -> BookVerdict? in
            try shards.extent(id) == nil ? nil : try shards.verify(id)
        } completion: { [unowned self] result in
            guard let call = release(number, asked) else { return }
            switch result {
            case .success(let verdict): judge(verdict, of: tenant, atLeast: wanted)
            case .failure(let error): judge(error, of: nil, call)
            }
        }
    }

    private func hold(_ tenant: Tenant, _ caller: Caller? = nil) -> Int {
        callCount += 1
        calls[callCount] = Call(tenant: tenant, commands: [], life: life, durable: records.count, caller: caller)
        return callCount
    }

    private func release(_ number: Int, _ call: Call) -> Call? {
        guard call.life == life, !disk.isDown, failure == nil else { return nil }
        guard calls.removeValue(forKey: number) != nil else {
            fail("a read is answered twice")
            return nil
        }
        return call
    }
}

/// What a reader saw of a book in memory.
struct Glance: Sendable {
    let sequence: UInt64
    let totals: BookTotals
    let plain: Int
    let snapshot: BookSnapshot?
}

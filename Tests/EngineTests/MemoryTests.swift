import Dispatch
import Engine
import Ledger
import Storage
import Testing

@Suite struct MemoryTests {
    /// Few books and few steps stay in memory, so that nearly every old id has to come from the shard.
    private func forgetful(_ configuration: inout EngineConfiguration) {
        configuration.partitions = 1
        configuration.limits.maxResidentTenants = 2
        configuration.limits.rememberedSteps = 3
        configuration.limits.flushIntervalMs = 1
    }

    private static let tenants = 6

    /// Commands of one tenant, in order. Every kind of step, done and refused, under ids of both kinds.
    private func steps(_ makeID: (Int) -> StepID) -> [Command] {
        var steps = [grant(makeID(1), 1_000)]
        for number in stride(from: 10, to: 100, by: 10) {
            steps.append(reserve(makeID(number), 50))
            steps.append(reserve(makeID(number + 1), 100_000))
            steps.append(commit(makeID(number), 40))
            steps.append(refund(makeID(number + 2), of: makeID(number), 5))
            steps.append(.charge(ReserveCommand(id: makeID(number + 3), fingerprint: 3, ask: .amount(2))))
            steps.append(reserve(makeID(number + 4), 1))
            steps.append(.release(ReleaseCommand(reservation: makeID(number + 4), fingerprint: 4)))
        }
        return steps
    }

    @Test(arguments: [true, false])
    func whatMemoryLetGoOfIsAnsweredAsTheFirstTime(areTimeOrdered: Bool) throws {
        let steps = steps(areTimeOrdered ? id : randomID)
        let directory = try TemporaryDirectory()
        var first: [[StepResult]] = []
        do {
            let harness = try Harness(directory, forgetful)
            for number in 0..<Self.tenants { first.append(try steps.map { try harness.step($0, tenant(number)) }) }
            try expectReplays(of: first, steps, harness)
            harness.engine.stop()
        }
        let harness = try Harness(directory, forgetful)
        try expectReplays(of: first, steps, harness)
        for number in 0..<Self.tenants {
            // 40 of each were charged and 5 given back: 35 are left, and not one more.
            _ = try harness.answer(refund(id(1_000), of: areTimeOrdered ? id(10) : randomID(10), 35), tenant(number))
            let more = try harness.step(
                refund(id(1_001), of: areTimeOrdered ? id(10) : randomID(10), 1), tenant(number))
            #expect(more.outcome == .failure(.refundExceedsCommitted(refundableMicros: 0)))
            try harness.verify(tenant(number))
        }
        harness.engine.stop()
    }

    private func expectReplays(of first: [[StepResult]], _ steps: [Command], _ harness: Harness) throws {
        for number in 0..<Self.tenants {
            for (step, before) in zip(steps, first[number]) {
                let again = try harness.step(step, tenant(number))
                #expect(again.replayed)
                #expect(again.outcome == before.outcome)
            }
        }
    }

    @Test func theSameOldIDFromManyCallersAtOnceIsDoneOnce() throws {
        let harness = try Harness(nil, forgetful)
        _ = try harness.step(grant(randomID(1), 1_000_000))
        for turn in 0..<40 {
            onThreads(8) { _ in
                for step in 0..<10 { _ = harness.begin(reserve(randomID(10 + turn * 10 + step), 3)).wait() }
            }
        }
        #expect(try harness.totals().held == 40 * 10 * 3)
        try harness.verify()
        harness.engine.stop()
    }

    @Test func memoryForgetsAlsoWhileSomeLookUpIsAlwaysUnderWay() throws {
        let harness = try Harness {
            forgetful(&$0)
            $0.workers = .byHand
        }
        defer { harness.engine.stop() }
        try harness.doByHand([grant(randomID(1), 1_000)])
        // Once memory has let go of an id that says nothing of its age, every such id is a look-up.
        try harness.doByHand((100..<110).map { charge(randomID($0)) })
        let firstLookUp = harness.begin(commit(randomID(5), 1))
        // Done while a look-up is under way that may miss them: they stay.
        try harness.doByHand((10..<20).map { charge(id($0)) }, reads: false)
        #expect(try harness.look { state, _ in state.reservation(id(10)) } != nil)
        // The second look-up begins before the first is over, and after they have reached the shard.
        let secondLookUp = harness.begin(commit(randomID(6), 1))
        #expect(harness.engine.turn(of: .reader))
        harness.settleByHand(reads: false)
        _ = try #require(firstLookUp.wait()).get()
        try harness.doByHand((20..<30).map { charge(id($0)) }, reads: false)
        #expect(secondLookUp.calls == 0)
        #expect(try harness.look { state, _ in state.reservation(id(10)) } == nil)
        harness.settleByHand()
        _ = try #require(secondLookUp.wait()).get()
    }

    private func charge(_ id: StepID) -> Command {
        .charge(ReserveCommand(id: id, fingerprint: 1, ask: .amount(1)))
    }

    @Test func aDamagedShardIsTheTroubleOfItsTenantAlone() throws {
        let directory = try TemporaryDirectory()
        do {
            let harness = try Harness(directory)
            for number in 0..<3 { _ = try harness.step(grant(id(1), 10), tenant(number)) }
            harness.engine.stop()
        }
        let file = ShardStore.file(of: tenant(1), in: directory.path + "/shards")
        try Array("not a database, and long enough to be looked at".utf8).withUnsafeBytes { bytes in
            try LocalFileSystem().open(file, .create).write(bytes, at: 0)
        }
        let harness = try Harness(directory)
        #expect(try harness.totals(tenant(0)).available == 10)
        guard case .failure(.damaged(tenant(1), _)) = harness.begin(grant(id(2), 10), tenant(1)).wait() else {
            Issue.record("the damage is told")
            return
        }
        #expect(try harness.totals(tenant(2)).available == 10)
        harness.engine.stop()
    }

    /// The steps of a book that is flushed while others come let go of what the flush brought to the shard, a little each.
    @Test func aBookThatNeverPausesForgetsAsItGoes() throws {
        let harness = try Harness {
            $0.workers = .byHand
            $0.limits.flushIntervalMs = 0
            $0.limits.rememberedSteps = 1
            $0.limits.forgottenAtOnce = 4
        }
        let engine = harness.engine
        var pairs: [Command] = []
        for number in 0..<8 { pairs += [reserve(id(10 + number), 5), commit(id(10 + number), 5)] }
        try harness.doByHand([grant(id(1), 1_000)])
        for step in pairs { _ = harness.begin(step) }
        #expect(engine.turn(of: .commit))
        // As many wait behind it as a flush forgets in one go.
        for number in 20..<24 { _ = harness.begin(reserve(id(number), 1)) }
        #expect(engine.turn(of: .flush))
        #expect(engine.pendingRecords == 4)

        let known = harness.begin(pairs[0])
        #expect(!engine.turn(of: .reader), "memory still knows it")
        for number in 24..<28 { _ = harness.begin(reserve(id(number), 1)) }
        let forgotten = harness.begin(pairs[0])
        #expect(engine.turn(of: .reader), "it is looked up in the shard")
        harness.settleByHand()
        for outcome in [known, forgotten] {
            let result = try #require(outcome.wait()).get()
            #expect(result.replayed)
        }
        engine.stop()
    }
}

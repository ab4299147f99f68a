import Engine
import Ledger
import SeededRandom
import Storage
import Testing

@Suite struct DurabilityTests {
    /// What may be called only once the journal has it: each is begun while an append is blocked.
    enum Call: CaseIterable { case step, replay, refusal, unrememberedRefusal, read, report }

    @Test(arguments: Call.allCases)
    func nothingIsToldBeforeTheAppendThatCoversItReturned(call: Call) throws {
        let harness = try Harness()
        defer { harness.engine.stop() }
        _ = try harness.step(grant(id(1), 1_000))
        harness.journal.block()
        let first = harness.begin(reserve(id(2), 100))
        harness.journal.waitUntilBlocked()

        let calls = try begin(call, harness)
        // The engine's other threads go round meanwhile: a read of another tenant is whole.
        _ = try harness.totals(tenant(1))
        #expect(first.calls == 0)
        #expect(calls() == 0)
        harness.journal.unblock()
        #expect(eventually { calls() == 1 })
        #expect(try first.wait()?.get().outcome.get().reservation?.id == id(2))
    }

    private func begin(_ call: Call, _ harness: Harness) throws -> () -> Int {
        switch call {
        case .step: return count(harness.begin(reserve(id(3), 1)))
        case .replay: return count(harness.begin(reserve(id(2), 100)))
        case .refusal: return count(harness.begin(reserve(id(3), 5_000)))
        case .unrememberedRefusal: return count(harness.begin(commit(id(9), 1)))
        case .read:
            let outcome = Outcome<Result<Int64, EngineError>>()
            harness.engine.read(tenant: acme, { state, _ in state.totals.held }, completion: outcome.completion)
            return count(outcome)
        case .report:
            let outcome = Outcome<Result<UInt64?, EngineError>>()
            harness.engine.report(
                tenant: acme,
                { (shards, tenant) throws(StorageError) in try shards.extent(tenant)?.position },
                completion: outcome.completion)
            return count(outcome)
        }
    }

    private func count<Value>(_ outcome: Outcome<Value>) -> () -> Int { { outcome.calls } }

    @Test func stepsThatArriveWhileAnAppendIsBlockedGoIntoOneBatch() throws {
        let harness = try Harness()
        defer { harness.engine.stop() }
        for number in 0..<10 { _ = try harness.step(grant(id(number + 1), 1_000), tenant(number)) }
        harness.journal.block()
        let first = harness.begin(reserve(id(100), 1), tenant(0))
        harness.journal.waitUntilBlocked()
        let batchesBefore = harness.journal.batchSizes.count
        let steps = (0..<200).map { harness.begin(reserve(id(101 + $0), 1), tenant($0 % 10)) }
        harness.journal.unblock()
        for step in [first] + steps { _ = try #require(step.wait()).get().outcome.get() }
        #expect(Array(harness.journal.batchSizes[batchesBefore...]) == [1, 200])
    }

    @Test func aFailedAppendLeavesTheStateAsItWasAndTheSameIDsSucceedOnceAfterwards() throws {
        let harness = try Harness()
        defer { harness.engine.stop() }
        for number in 0..<3 { _ = try harness.step(grant(id(1), 1_000), tenant(number)) }
        let open = try harness.answer(reserve(id(2), 300), tenant(0))
        let before = try (0..<3).map { try harness.totals(tenant($0)) }

        harness.journal.block()
        var refused = [harness.begin(reserve(id(10), 10), tenant(0))]
        harness.journal.waitUntilBlocked()
        // One batch is in flight and the next gathers: both depend on what fails.
        for number in 0..<3 {
            refused.append(harness.begin(reserve(id(11), 50), tenant(number)))
            refused.append(harness.begin(commit(id(11), 20), tenant(number)))
        }
        refused.append(harness.begin(commit(id(2), 300), tenant(0)))
        // An answer that saw a state which will not come to be is no answer either.
        let read = Outcome<Result<Int64, EngineError>>()
        harness.engine.read(tenant: tenant(0), { state, _ in state.totals.held }, completion: read.completion)
        harness.journal.fail(.system(operation: "fdatasync", path: "journal", errno: 5))
        harness.journal.unblock()
        for outcome in refused { expectUnavailable(try #require(outcome.wait())) }
        expectUnavailable(try #require(read.wait()))
        // What is durable can be read all the while; what would write is refused.
        for number in 0..<3 { #expect(try harness.totals(tenant(number)) == before[number]) }
        expectUnavailable(try #require(harness.begin(reserve(id(11), 50), tenant(0)).wait()))
        #expect(harness.health.journal == [false])

        harness.journal.fail(nil)
        #expect(eventually { harness.health.journal == [false, true] })
        for number in 0..<3 {
            #expect(try !harness.step(reserve(id(11), 50), tenant(number)).replayed)
            #expect(try harness.step(reserve(id(11), 50), tenant(number)).replayed)
            #expect(try !harness.step(commit(id(11), 20), tenant(number)).replayed)
        }
        #expect(try harness.step(reserve(id(2), 300), tenant(0)).outcome == .success(open))
        #expect(try !harness.step(commit(id(2), 300), tenant(0)).replayed)
        #expect(try harness.totals(tenant(0)).consumed == 320)
        #expect(try harness.totals(tenant(2)).consumed == 20)
        for number in 0..<3 { try harness.verify(tenant(number)) }
    }

    @Test func aJournalThatFailsIsTriedAgainByItselfAndNotForEachStep() throws {
        let harness = try Harness { $0.limits.probeIntervalMs = 3_600_000 }
        _ = try harness.step(grant(id(1), 1_000))
        harness.journal.fail(.system(operation: "write", path: "journal", errno: 28))
        for number in 2..<100 { expectUnavailable(try #require(harness.begin(reserve(id(number), 1)).wait())) }
        #expect(harness.journal.failedAppends == 1)
        harness.engine.stop()
    }

    @Test func failuresInTheMidstOfLoadingRecallingAndFlushingLoseAndDoubleNothing() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var random = SeededRandom(seed: seed)
        let harness = try Harness {
            $0.partitions = 2
            $0.limits.maxResidentTenants = 2
            $0.limits.rememberedSteps = 2
            $0.limits.flushIntervalMs = 1
            $0.limits.probeIntervalMs = 1
        }
        for number in 0..<6 { _ = try harness.step(grant(randomID(1), 1_000_000), tenant(number)) }
        var charged = [Int64](repeating: 0, count: 6)
        for round in 0..<60 {
            let isFailing = Bool.random(using: &random)
            if isFailing { harness.journal.fail(.system(operation: "write", path: "journal", errno: 28)) }
            let steps = (0..<20).map { index in
                let number = Int.random(in: 0..<6, using: &random)
                // Random ids make every step a recall; each is sent twice at the same time.
                let command = reserve(randomID(100 + round * 20 + index), 7)
                let twice = (harness.begin(command, tenant(number)), harness.begin(command, tenant(number)))
                return (number, command, twice.0, twice.1)
            }
            for (_, _, first, second) in steps {
                _ = try #require(first.wait())
                _ = try #require(second.wait())
            }
            harness.journal.fail(nil)
            for (number, command, _, _) in steps {
                #expect(
                    eventually { (try? harness.step(command, tenant(number)).outcome.get()) != nil }, "seed \(seed)")
                charged[number] += 7
            }
        }
        for number in 0..<6 {
            #expect(try harness.totals(tenant(number)).held == charged[number], "seed \(seed)")
            try harness.verify(tenant(number))
        }
        harness.engine.stop()
    }

    private func expectUnavailable<Value>(_ result: Result<Value, EngineError>) {
        guard case .failure(.unavailable) = result else {
            Issue.record("unavailable is expected, not \(result)")
            return
        }
    }
}

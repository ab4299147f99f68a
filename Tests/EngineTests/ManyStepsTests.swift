import Engine
import Ledger
import Storage
import Testing

/// Many steps handed over together are the steps that they would be one by one.
@Suite struct ManyStepsTests {
    private func results(
        _ harness: Harness, _ commands: [Command]
    ) throws -> [Result<StepResult, EngineError>] {
        let outcome = Outcome<[Result<StepResult, EngineError>]>()
        harness.engine.submit(commands, tenant: acme, completion: outcome.completion)
        let results = try #require(outcome.wait())
        #expect(results.count == commands.count)
        return results
    }

    @Test func theyAnswerAndLeaveTheBookAsOneByOne() throws {
        let together = try Harness(clock: ManualClock(Instant(microseconds: 1_800_000_000_000_000)))
        let single = try Harness(clock: ManualClock(Instant(microseconds: 1_800_000_000_000_000)))
        var commands = [grant(id(1), 10_000)]
        for number in 10..<300 {
            commands.append(reserve(id(number), 30))
            if number % 3 != 0 { commands.append(commit(id(number), Int64(number % 40))) }
            if number % 7 == 0 { commands.append(reserve(id(number), number % 2 == 0 ? 30 : 31)) }
            if number % 11 == 0 { commands.append(commit(id(number + 10_000), 1)) }
        }
        let found = try results(together, commands)
        for (command, result) in zip(commands, found) {
            let expected = try single.step(command)
            #expect(try result.get().outcome == expected.outcome)
            #expect(try result.get().replayed == expected.replayed)
        }
        #expect(try together.entries() == single.entries())
        try together.verify()
        together.engine.stop()
        single.engine.stop()
    }

    @Test func stepsThatMemoryHasLetGoOfAreLookedUp() throws {
        let harness = try Harness { $0.limits.rememberedSteps = 4 }
        var commands = [grant(id(1), 10_000)]
        for number in 10..<100 { commands += [reserve(id(number), 10), commit(id(number), 7)] }
        let first = try results(harness, commands)
        #expect(eventually { harness.engine.pendingRecords == 0 })
        _ = try harness.entries()
        commands.append(reserve(id(500), 10))
        let second = try results(harness, commands)
        for (before, after) in zip(first, second) {
            #expect(try before.get().outcome == after.get().outcome)
            #expect(try after.get().replayed)
        }
        #expect(try second.last!.get().replayed == false)
        try harness.verify()
        harness.engine.stop()
    }

    @Test func allAreToldWhenTheJournalFails() throws {
        let harness = try Harness()
        _ = try harness.step(grant(id(1), 1_000))
        harness.journal.fail(.system(operation: "write", path: "journal", errno: 28))
        for result in try results(harness, [reserve(id(2), 1), reserve(id(3), 1)]) {
            #expect(throws: EngineError.self) { try result.get() }
        }
        harness.engine.stop()
        for result in try results(harness, [reserve(id(2), 1)]) {
            #expect(throws: EngineError.self) { try result.get() }
        }
    }
}

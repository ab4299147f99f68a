import Engine
import Foundation
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

    /// What is given back is there for the step behind it, also where the first has to be looked up and the second has not.
    @Test func stepsAreTakenInTheirOrderAlsoWhereSomeAreLookedUp() throws {
        let harness = try Harness { $0.limits.rememberedSteps = 1 }
        let single = try Harness { $0.limits.rememberedSteps = 1 }
        let old = (10..<60).flatMap { [reserve(id($0), 20), commit(id($0), 20)] }
        for each in [harness, single] {
            _ = try results(each, [grant(id(1), 1_000)] + old)
            #expect(eventually { each.engine.pendingRecords == 0 })
            _ = try each.entries()
        }
        var commands: [Command] = []
        for number in 0..<40 {
            commands.append(refund(id(1_000 + number), of: id(10 + number), 15))
            commands.append(reserve(number % 2 == 0 ? id(2_000 + number) : randomID(2_000 + number), 15))
            // Twice the same, and one that comes too late.
            if number % 5 == 0 { commands.append(commands[commands.count - 1]) }
            if number % 7 == 0 { commands.append(reserve(randomID(3_000 + number), 1)) }
        }
        for (command, result) in zip(commands, try results(harness, commands)) {
            let expected = try single.step(command)
            let found = try result.get()
            #expect(found.replayed == expected.replayed)
            #expect((try? found.outcome.get().amount) == (try? expected.outcome.get().amount))
            #expect((try? found.outcome.get().balance) == (try? expected.outcome.get().balance))
        }
        try harness.verify()
        harness.engine.stop()
        single.engine.stop()
    }

    @Test func callsThatShareAnOrderAreTakenOneAfterTheOther() throws {
        let harness = try Harness { $0.limits.rememberedSteps = 1 }
        let old = (10..<60).flatMap { [reserve(id($0), 20), commit(id($0), 20)] }
        _ = try results(harness, [grant(id(1), 1_000)] + old)
        #expect(eventually { harness.engine.pendingRecords == 0 })
        _ = try harness.entries()
        let order = StepOrder()
        var outcomes: [Outcome<[Result<StepResult, EngineError>]>] = []
        for number in 0..<50 {
            for command in [
                refund(id(1_000 + number), of: id(10 + number), 20), reserve(id(2_000 + number), 20),
                reserve(id(3_000 + number), 1),
            ] {
                let outcome = Outcome<[Result<StepResult, EngineError>]>()
                harness.engine.submit([command], tenant: acme, order: order, completion: outcome.completion)
                outcomes.append(outcome)
            }
        }
        for (index, outcome) in outcomes.enumerated() {
            let result = try #require(outcome.wait())[0].get().outcome
            switch index % 3 {
            case 0, 1: #expect(throws: Never.self) { try result.get() }
            default: #expect(throws: Refusal.self) { try result.get() }
            }
        }
        try harness.verify()
        harness.engine.stop()
    }

    @Test func callsBehindALookUpAreToldWhenTheEngineStopsOrTheJournalFails() throws {
        let harness = try Harness { $0.limits.rememberedSteps = 1 }
        let old = (10..<60).flatMap { [reserve(id($0), 20), commit(id($0), 20)] }
        _ = try results(harness, [grant(id(1), 1_000)] + old)
        #expect(eventually { harness.engine.pendingRecords == 0 })
        _ = try harness.entries()
        let order = StepOrder()
        var outcomes: [Outcome<[Result<StepResult, EngineError>]>] = []
        for number in 0..<50 {
            if number == 20 { harness.journal.fail(.system(operation: "write", path: "journal", errno: 28)) }
            if number == 30 { harness.journal.fail(nil) }
            if number == 40 { Thread.detachNewThread { harness.engine.stop() } }
            let outcome = Outcome<[Result<StepResult, EngineError>]>()
            let steps = [refund(id(1_000 + number), of: id(10 + number), 20), reserve(id(2_000 + number), 20)]
            harness.engine.submit(steps, tenant: acme, order: order, completion: outcome.completion)
            outcomes.append(outcome)
        }
        for outcome in outcomes { #expect(outcome.wait()?.count == 2) }
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

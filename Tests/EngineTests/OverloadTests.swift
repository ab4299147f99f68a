import Ledger
import Locks
import Storage
import Testing

import protocol Engine.Clock

@testable import Engine

/// What is refused, and to whom, while the disk stands still; and what is not done for callers that have gone.
@Suite struct OverloadTests {
    // MARK: Shares

    @Test func whoFillsABatchIsRefusedAndOthersAreNot() throws {
        let harness = try Harness { $0.limits.maxGatheredBytes = 20_000 }
        defer { harness.engine.stop() }
        let other = tenant(1)
        for tenant in [acme, other] { _ = try harness.step(grant(id(1), 1_000_000), tenant) }
        harness.journal.block()
        let first = harness.begin(reserve(id(2), 1))
        harness.journal.waitUntilBlocked()
        var flood: [Outcome<Result<StepResult, EngineError>>] = []
        while !flood.contains(where: { $0.calls > 0 }) { flood.append(harness.begin(reserve(id(3 + flood.count), 1))) }
        // It has about half of what may be gathered, and another tenant goes on.
        let modest = (0..<20).map { harness.begin(reserve(id(2 + $0), 1), other) }
        #expect(modest.allSatisfy { $0.calls == 0 })
        #expect(harness.begin(reserve(id(1_000_000), 1)).calls == 1)
        harness.journal.unblock()
        _ = try #require(first.wait()).get()
        for step in modest { _ = try #require(step.wait()).get().outcome.get() }
        var taken = 0
        for step in flood {
            switch try #require(step.wait()) {
            case .success(let result):
                _ = try result.outcome.get()
                taken += 1
            case .failure(.overloaded): break
            case .failure(let error): Issue.record("overloaded is expected, not \(error)")
            }
        }
        #expect(taken == flood.count - 1 && taken > 20)
        #expect(try harness.totals().held == Int64(taken) + 1, "nothing that was acknowledged is lost")
        print(
            "covered: overload: a flood of \(taken) steps in one batch, then refused; 20 steps of another tenant taken")
    }

    @Test func whoseShardIsFarBehindIsRefusedAndOthersAreNot() throws {
        let harness = try Harness {
            $0.limits.maxPendingRecords = 100
            $0.limits.flushIntervalMs = 3_600_000
            $0.limits.flushRecords = 1_000
            $0.limits.gatherMs = 3_600_000
        }
        defer { harness.engine.stop() }
        let other = tenant(1)
        for tenant in [acme, other] { _ = try harness.step(grant(id(1), 1_000_000), tenant) }
        var taken = 0
        refused: while true {
            switch try #require(harness.begin(reserve(id(2 + taken), 1)).wait()) {
            case .success: taken += 1
            case .failure(.overloaded): break refused
            case .failure(let error): throw error
            }
        }
        #expect((40...60).contains(taken))
        for number in 2..<12 { _ = try harness.step(reserve(id(number), 1), other) }
    }

    // MARK: A disk that stands still

    @Test func aDiskThatTakesTooLongIsToldAtOnceUntilItGoesOn() throws {
        let clock = SteppedClock()
        let harness = try Harness(clock: clock) { $0.limits.maxAppendMs = 1_000 }
        defer { harness.engine.stop() }
        _ = try harness.step(grant(id(1), 1_000))
        harness.journal.block()
        let first = harness.begin(reserve(id(2), 1))
        harness.journal.waitUntilBlocked()
        let second = harness.begin(reserve(id(3), 1))
        clock.advance(ms: 999)
        harness.engine.tick()
        let third = harness.begin(reserve(id(4), 1))
        #expect(third.calls == 0, "a disk may take its time")
        clock.advance(ms: 1)
        harness.engine.tick()
        guard case .failure(.overloaded) = try #require(harness.begin(reserve(id(5), 1)).wait()) else {
            Issue.record("what would be answered too late is refused at once")
            return
        }
        harness.journal.unblock()
        for step in [first, second, third] { _ = try #require(step.wait()).get().outcome.get() }
        #expect(try harness.step(reserve(id(5), 1)).replayed == false)
        #expect(try harness.totals().held == 4)
    }

    @Test func whatIsDurableIsReadWhileTheDiskStandsStill() throws {
        let harness = try Harness { $0.limits.maxGatheredBytes = 1_000 }
        defer { harness.engine.stop() }
        let quiet = tenant(1)
        for tenant in [acme, quiet] { _ = try harness.step(grant(id(1), 1_000), tenant) }
        harness.journal.block()
        _ = harness.begin(reserve(id(2), 1))
        harness.journal.waitUntilBlocked()
        for number in 3..<100 { _ = harness.begin(reserve(id(number), 1)) }
        #expect(try harness.totals(quiet).available == 1_000)
        harness.journal.unblock()
    }

    // MARK: Callers that have gone

    @Test func aStepWhoseCallerWentWhileItsBookWasLoadedIsNotDone() throws {
        let directory = try TemporaryDirectory()
        let before = try Harness(directory)
        _ = try before.step(grant(id(1), 1_000))
        before.engine.stop()

        let harness = try Harness(directory) { $0.workers = .byHand }
        let (gone, there) = (Caller(), Caller())
        let dropped = begin([reserve(id(2), 1), reserve(id(5), 1)], gone, harness)
        let droppedToo = Outcome<Result<StepResult, EngineError>>()
        harness.engine.submit(reserve(id(3), 1), tenant: acme, caller: gone, completion: droppedToo.completion)
        let limits = Outcome<Result<StepResult, EngineError>>()
        let noLimits = Command.set(SettingCommand(.limits([], zone: "UTC", used: [])))
        harness.engine.submit(noLimits, tenant: acme, caller: gone, completion: limits.completion)
        let done = begin([reserve(id(4), 1)], there, harness)
        gone.leave()
        while harness.engine.turn(of: .reader) {}
        while harness.engine.turn(of: .commit) {}
        guard case .failure(.callerGone)? = dropped.wait()?.first, case .failure(.callerGone)? = droppedToo.wait(),
            case .failure(.callerGone)? = limits.wait()
        else {
            Issue.record("a caller that has gone has nothing done")
            return
        }
        _ = try #require(done.wait()?.first).get().outcome.get()
        #expect(harness.engine.dropped == 4, "each of the steps counts")
        #expect(harness.journal.batchSizes == [1], "one record was journaled, that of the step whose caller was there")
        harness.engine.stop()
        let after = try Harness(directory)
        #expect(try after.totals().held == 1)
        #expect(try !after.step(reserve(id(2), 1)).replayed)
        after.engine.stop()
        print("covered: overload: of 5 steps that waited for a book 4 were dropped with their callers, 1 was journaled")
    }

    @Test func whatALookUpWasForIsNotDoneOnceItsCallerHasGone() throws {
        let harness = try Harness {
            $0.workers = .byHand
            $0.limits.rememberedSteps = 1
        }
        try harness.doByHand(
            [grant(randomID(9), 1_000)] + (100..<110).flatMap { [reserve(randomID($0), 1), commit(randomID($0), 1)] })
        // Random ids that memory does not know are looked up; those behind one wait for it.
        let caller = Caller()
        let outcome = begin([reserve(id(10), 1), reserve(randomID(1), 1), reserve(id(11), 1)], caller, harness)
        while harness.engine.turn(of: .commit) {}
        caller.leave()
        harness.settleByHand()
        let results = try #require(outcome.wait())
        let states = results.map { result -> String in
            switch result {
            case .success: "done"
            case .failure(.callerGone): "dropped"
            case .failure(let error): "\(error)"
            }
        }
        #expect(states == ["done", "dropped", "dropped"])
        harness.engine.stop()
    }

    @Test func aReportThatNobodyWaitsForIsNotMade() throws {
        let harness = try Harness { $0.workers = .byHand }
        try harness.doByHand([grant(id(1), 1_000)])
        let caller = Caller()
        let made = Protected(0)
        let outcome = Outcome<Result<Int, EngineError>>()
        harness.engine.report(tenant: acme, caller: caller) { (_, _) throws(StorageError) in
            made.withLock { $0 += 1 }
            return 1
        } completion: {
            outcome.completion($0)
        }
        while harness.engine.turn(of: .flush) {}
        caller.leave()
        harness.settleByHand()
        guard case .failure(.callerGone)? = outcome.wait() else {
            Issue.record("a caller that has gone gets no report")
            return
        }
        #expect(made.withLock { $0 } == 0)
        harness.engine.stop()
    }

    // MARK: Reports

    @Test func reportsAreBoundedSharedAndGoAfterSteps() {
        let readers = ShardReaders(threadCount: 0, maxJobs: 2, maxReports: 10)
        let log = Protected<[String]>([])
        func note(_ text: String) -> ShardReaders.Work { { log.withLock { $0.append(text) } } }
        let flooding = (0..<20).count { _ in readers.submit(reportOf: acme, note("flood")) }
        #expect(flooding == 5, "a tenant has as much as it leaves free")
        #expect(readers.submit(reportOf: tenant(1), note("modest")))
        #expect(readers.submit(note("step")) && readers.submit(note("step")) && !readers.submit(note("step")))
        while readers.turn(waits: false) {}
        #expect(log.withLock { $0 } == ["step", "step", "flood", "modest", "flood", "flood", "flood", "flood"])
        readers.stop()
        #expect(!readers.submit(reportOf: acme, note("late")) && !readers.submit(note("late")))
    }

    @Test func aReportThatTakesLongKeepsNoStepWaiting() throws {
        let harness = try Harness { $0.readerThreads = 2 }
        defer { harness.engine.stop() }
        _ = try harness.step(grant(id(1), 1_000))
        let gate = Gate()
        let reports = (0..<4).map { _ in Outcome<Result<Int, EngineError>>() }
        for report in reports {
            harness.engine.report(tenant: acme) { (_, _) throws(StorageError) in
                gate.wait()
                return 1
            } completion: {
                report.completion($0)
            }
        }
        gate.waitUntilSomebodyWaits()
        // Each of these tenants has its book loaded first, and a random id is looked up.
        for number in 1...5 { _ = try harness.step(grant(randomID(number), 10), tenant(number)) }
        #expect(reports.allSatisfy { $0.calls == 0 })
        gate.open()
        for report in reports { _ = try #require(report.wait()).get() }
    }

    // MARK: Helpers

    private func begin(_ commands: [Command], _ caller: Caller, _ harness: Harness) -> Outcome<[StepOutcome]> {
        let outcome = Outcome<[StepOutcome]>()
        harness.engine.submit(commands, tenant: acme, caller: caller, completion: outcome.completion)
        return outcome
    }
}

private final class Caller: StepCaller {
    private let isGone = Protected(false)

    var hasGone: Bool { isGone.withLock { $0 } }

    func leave() { isGone.withLock { $0 = true } }
}

/// The system's time of day, and intervals that a test moves.
private final class SteppedClock: Clock {
    private let base = SystemClock()
    private let ms = Protected(1)

    func now() -> Instant { base.now() }

    var monotonicMs: Int { ms.withLock { $0 } }

    func advance(ms count: Int) { ms.withLock { $0 += count } }
}

/// What several threads wait at until it opens.
private final class Gate: Sendable {
    private let monitor = Monitor()
    private let state = Protected((isOpen: false, waiting: 0))

    func wait() {
        monitor.locked {
            state.withLock { $0.waiting += 1 }
            while !state.withLock({ $0.isOpen }) { monitor.wait(milliseconds: 5) }
        }
    }

    func waitUntilSomebodyWaits() { #expect(eventually { state.withLock { $0.waiting > 0 } }) }

    func open() { state.withLock { $0.isOpen = true } }
}

import Ledger
import Testing

@testable import Engine

/// How batches gather.
@Suite struct CommitPaceTests {
    private let limits = EngineLimits()
    private var gatherNs: Int64 { Int64(limits.gatherUs) * 1_000 }

    @Test func aFewCallersWaitForNobody() {
        var pace = CommitPace(limits)
        pace.told(1, gathered: limits.fewCallers - 2, pauses: 0, nowNs: 0)
        #expect(pace.awaited == 1)
        #expect(pace.dueNs(gathered: 1, isBusy: true, nowNs: 1) == nil)
    }

    @Test func halfOfThoseWhoWaitedAreAwaitedWhileSomebodyBringsThem() {
        var pace = CommitPace(limits)
        pace.told(40, gathered: 24, pauses: 0, nowNs: 1_000)
        let dueNs = 1_000 + gatherNs
        #expect(pace.dueNs(gathered: 31, isBusy: true, nowNs: dueNs - 1) == dueNs)
        #expect(pace.dueNs(gathered: 32, isBusy: true, nowNs: 1_001) == nil, "they are there")
        #expect(pace.dueNs(gathered: 1, isBusy: false, nowNs: 1_001) == nil, "nobody brings any")
        #expect(pace.dueNs(gathered: 1, isBusy: true, nowNs: dueNs) == nil, "the time is over")
        // What comes after a time without any has its own time.
        pace.begin(nowNs: 5 * dueNs)
        #expect(pace.dueNs(gathered: 1, isBusy: true, nowNs: 5 * dueNs) == 5 * dueNs + gatherNs)
    }

    @Test func whoNeverPausesIsWaitedForByTimeAlone() {
        var pace = CommitPace(limits)
        for batch in 0..<CommitPace.saturatedBatches {
            pace.told(40, gathered: 24, pauses: 7, nowNs: Int64(batch))
            #expect(pace.awaited == 32)
        }
        pace.told(40, gathered: 24, pauses: 7, nowNs: 100)
        #expect(pace.dueNs(gathered: 100_000, isBusy: true, nowNs: 100) == 100 + gatherNs)
        pace.told(40, gathered: 24, pauses: 8, nowNs: 200)
        #expect(pace.awaited == 32)
    }

    /// Whatever the limits: nothing here waits for a clock.
    @Test func stepsGatherUntilEnoughAreThereOrNobodyBringsMore() throws {
        let harness = try Harness { $0.limits.gatherUs = 3_600_000_000 }
        defer { harness.engine.stop() }
        _ = try harness.answer(grant(id(1), 1_000_000))
        harness.engine.arrivalsBegan()
        var next = 2
        func begin(_ count: Int) -> [Outcome<Result<StepResult, EngineError>>] {
            defer { next += count }
            return (next..<next + count).map { harness.begin(reserve(id($0), 1)) }
        }
        func finish(_ steps: [Outcome<Result<StepResult, EngineError>>]) throws {
            for step in steps { _ = try #require(step.wait()).get().outcome.get() }
        }
        harness.journal.block()
        let first = begin(1)
        harness.journal.waitUntilBlocked()
        let others = begin(15)
        harness.journal.unblock()
        try finish(first + others)
        #expect(harness.journal.batchSizes.suffix(2) == [1, 15])
        // Of 15 who waited, 7 are awaited.
        try finish(begin(7))
        #expect(harness.journal.batchSizes.last == 7)
        let few = begin(2)
        harness.engine.arrivalsPaused()
        try finish(few)
        #expect(harness.journal.batchSizes.last == 2)
        // And nobody is waited for while nobody says that he brings any.
        try finish(begin(1))
    }
}

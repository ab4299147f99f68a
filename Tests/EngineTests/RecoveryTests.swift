import Engine
import Foundation
import Ledger
import Storage
import Testing

/// What an engine makes of the directory that it is given.
@Suite struct RecoveryTests {
    @Test func recordsThatTheShardHasAlreadyAreNotGivenToItAgainHoweverManyThereAre() throws {
        let first = try Harness()
        _ = try first.step(grant(id(1), 1_000))
        for turn in 0..<50 { _ = try first.answer(reserve(id(10 + turn), 1)) }
        first.engine.stop()

        // Many flushes for what the journal still has, all of it behind what the shard has.
        let second = try Harness(first.directory) { $0.limits.maxRecordsPerFlush = 7 }
        #expect(eventually { second.engine.pendingRecords == 0 })
        _ = try second.answer(reserve(id(100), 1))
        #expect(try second.entries().map(\.sequence) == Array(1...52))
        #expect(second.health.shards.isEmpty, "no shard refused a write")
        try second.verify()
        second.engine.stop()
    }

    @Test func holdsThatEndTogetherTakeAsManyRecordsAsTheyNeed() throws {
        let clock = ManualClock(Instant(microseconds: 1_795_219_200_000_000))
        let first = try Harness(clock: clock) { $0.limits.maxEntriesPerRecord = 3 }
        _ = try first.step(grant(id(1), 1_000))
        for turn in 0..<10 { _ = try first.answer(reserve(id(10 + turn), 1)) }
        clock.advance(to: clock.now().advanced(microseconds: 3_600_000_000))
        #expect(try first.answer(reserve(id(100), 5)).balance == BalanceAfter(available: 995, held: 5))
        first.engine.stop()

        let second = try Harness(first.directory, clock: clock)
        #expect(try second.entries().map(\.kind).filter { $0 == .holdExpiry }.count == 10)
        #expect(try second.totals().held == 5)
        try second.verify()
        second.engine.stop()
    }

    @Test func whatTheShardsLackWhenTheTimeToStopIsOverIsInTheJournal() throws {
        let first = try Harness {
            $0.limits.flushIntervalMs = 3_600_000
            $0.limits.maxStopFlushMs = 0
        }
        for number in 0..<20 {
            _ = try first.step(grant(id(1), 1_000), tenant(number))
            _ = try first.answer(reserve(id(2), 7), tenant(number))
        }
        first.engine.stop()
        #expect(try first.shards.tenants().isEmpty, "there was no time to write them")

        let second = try Harness(first.directory)
        for number in 0..<20 {
            #expect(try second.step(reserve(id(2), 7), tenant(number)).replayed)
            try second.verify(tenant(number))
        }
        second.engine.stop()
    }

    @Test func aShardThatIsAheadOfTheJournalIsRefusedAndOtherTenantsAreServed() throws {
        let first = try Harness()
        _ = try first.step(grant(id(1), 1_000))
        for turn in 0..<5 { _ = try first.answer(reserve(id(10 + turn), 1)) }
        first.engine.stop()
        let journal = first.directory.path + "/journal"
        try FileManager.default.removeItem(atPath: journal)
        try FileManager.default.createDirectory(atPath: journal, withIntermediateDirectories: false)

        let second = try Harness(first.directory)
        let result = try #require(second.begin(reserve(id(100), 1)).wait())
        guard case .failure(.damaged(let tenant, _)) = result else {
            Issue.record("a step was done on a book that is not this journal's: \(result)")
            return second.engine.stop()
        }
        #expect(tenant == acme)
        _ = try second.step(grant(id(1), 5), TenantID("other")!)
        second.engine.stop()
    }
}

import Engine
import Foundation
import Ledger
import Locks
import Storage
import Testing

@Suite struct BoundsTests {
    @Test func ofAThousandCreditsSevenAtATime142HoldsSucceedAndSixCreditsAreLeft() throws {
        let harness = try Harness()
        defer { harness.engine.stop() }
        _ = try harness.step(grant(id(1), 1_000))
        let held = Protected(0)
        onThreads(64) { thread in
            for turn in 0..<10 {
                let result = harness.begin(reserve(id(2 + thread * 10 + turn), 7)).wait()
                if case .success(let step) = result, case .success = step.outcome { held.withLock { $0 += 1 } }
            }
        }
        #expect(held.withLock { $0 } == 142)
        let totals = try harness.totals()
        #expect(totals.available == 6)
        #expect(totals.held == 142 * 7)
        try harness.verify()
    }

    @Test func aFullBatchRefusesUntilItIsTaken() throws {
        let harness = try Harness { $0.limits.maxGatheredBytes = 2_000 }
        try expectOverloadAndRecovery(harness)
    }

    @Test func tooManyWaitingCallsAreRefusedUntilTheyAreTold() throws {
        let harness = try Harness { $0.limits.maxWaitingCalls = 20 }
        try expectOverloadAndRecovery(harness)
    }

    @Test func recordsThatNoShardHasAreBounded() throws {
        let harness = try Harness {
            $0.limits.maxPendingRecords = 20
            $0.limits.flushIntervalMs = 50
        }
        try expectOverloadAndRecovery(harness)
    }

    /// What a process left that had so many records which no shard has: a directory stands where the shard's file would be.
    private static func directory(withPending count: Int) throws -> (TemporaryDirectory, obstacle: String) {
        let directory = try TemporaryDirectory()
        let obstacle = ShardStore.file(of: acme, in: directory.path + "/shards")
        let harness = try Harness(directory) { $0.limits.maxStopFlushMs = 0 }
        try FileManager.default.createDirectory(atPath: obstacle, withIntermediateDirectories: true)
        _ = try harness.step(grant(id(1), 1_000))
        for number in 2...count { _ = try harness.step(reserve(id(number), 1)) }
        harness.engine.stop()
        return (directory, obstacle)
    }

    @Test func whatTheJournalHasAtAStartRefusesNoStep() throws {
        let (directory, obstacle) = try Self.directory(withPending: 101)
        let harness = try Harness(directory) { $0.limits.maxPendingRecords = 20 }
        #expect(harness.engine.pendingRecords == 101)
        // A quarter more than there is.
        var accepted = 0
        while accepted < 50, case .success = try #require(harness.begin(reserve(id(200 + accepted), 1)).wait()) {
            accepted += 1
        }
        #expect(accepted == 5)
        try FileManager.default.removeItem(atPath: obstacle)
        #expect(eventually { harness.engine.pendingRecords == 0 })
        for number in 300..<400 {
            #expect(eventually { (try? harness.answer(reserve(id(number), 1))) != nil })
        }
        harness.engine.stop()
    }

    @Test func aTenantThatLeftMuchPendingIsNotRefusedForItAfterAStart() throws {
        let (directory, obstacle) = try Self.directory(withPending: 75)
        // It has 75 of the 100 that may be pending: more than it leaves free.
        let harness = try Harness(directory) { $0.limits.maxPendingRecords = 100 }
        _ = try harness.answer(reserve(id(200), 1))
        try FileManager.default.removeItem(atPath: obstacle)
        #expect(eventually { harness.engine.pendingRecords == 0 })
        _ = try harness.answer(reserve(id(201), 1))
        harness.engine.stop()
    }

    @Test func whatShardsAreListedToHoldIsNotPendingAfterARestart() throws {
        let directory = try TemporaryDirectory()
        do {
            let harness = try Harness(directory)
            _ = try harness.step(grant(id(1), 1_000))
            _ = try harness.step(reserve(id(2), 1))
            harness.engine.stop()
            #expect(harness.journal.firstPosition == 1, "the journal still has all of it")
        }
        let harness = try Harness(directory)
        #expect(harness.engine.pendingRecords == 0)
        #expect(try harness.step(reserve(id(2), 1)).replayed)
        #expect(try harness.totals().held == 1)
        try harness.verify()
        harness.engine.stop()
    }

    /// More steps than fit are begun while the journal is blocked: the first succeed, the rest are refused, and once the
    /// journal goes on the refused ones succeed under the same ids.
    private func expectOverloadAndRecovery(_ harness: Harness) throws {
        defer { harness.engine.stop() }
        _ = try harness.step(grant(id(1), 1_000))
        harness.journal.block()
        var steps = [harness.begin(reserve(id(2), 1))]
        harness.journal.waitUntilBlocked()
        steps += (3..<203).map { harness.begin(reserve(id($0), 1)) }
        #expect(steps.last?.calls == 1, "the last is refused at once")
        harness.journal.unblock()
        var refused = 0
        for step in steps {
            switch try #require(step.wait()) {
            case .success(let result): _ = try result.outcome.get()
            case .failure(.overloaded): refused += 1
            case .failure(let error): Issue.record("overloaded is expected, not \(error)")
            }
        }
        #expect(refused > 0 && refused < 200)
        for number in 2..<203 {
            #expect(eventually { (try? harness.answer(reserve(id(number), 1))) != nil })
        }
        #expect(try harness.totals().held == 201)
        #expect(eventually { harness.engine.pendingRecords == 0 })
    }

    @Test func booksInMemoryAreBoundedByEviction() throws {
        let harness = try Harness {
            $0.partitions = 2
            $0.limits.maxResidentTenants = 8
            $0.limits.flushIntervalMs = 1
        }
        defer { harness.engine.stop() }
        for number in 0..<60 { _ = try harness.step(grant(id(1), 10), tenant(number)) }
        // Books that owe their shard something stay until it has it, and not for ever.
        #expect(
            eventually {
                harness.engine.tick()
                return harness.engine.residentTenants <= 8
            })
        for number in 0..<60 { #expect(try harness.totals(tenant(number)).available == 10) }
    }
}

import Engine
import Ledger
import Storage
import Testing

/// An engine whose workers are moved by hand does what one with threads does, and nothing by itself.
struct ByHandTests {
    private func harness(_ directory: TemporaryDirectory? = nil) throws -> Harness {
        try Harness(directory) {
            $0.workers = .byHand
            $0.limits.flushIntervalMs = 0
        }
    }

    @Test("A step is told only by the commit worker's turn, and reaches the shard only by the flush worker's")
    func eachTurnDoesItsOwn() throws {
        let harness = try harness()
        let engine = harness.engine
        let granted = harness.begin(grant(id(1), 100))
        // The book is loaded first.
        #expect(!engine.turn(of: .commit))
        #expect(engine.turn(of: .reader))
        #expect(!engine.turn(of: .reader))
        #expect(granted.calls == 0)
        #expect(engine.turn(of: .commit))
        #expect(granted.calls == 1)
        #expect(!engine.turn(of: .commit))
        #expect(engine.pendingRecords == 1)
        #expect(engine.turn(of: .flush))
        #expect(engine.pendingRecords == 0)
        #expect(!engine.turn(of: .flush))
    }

    @Test("A stop by hand finishes what was taken, and the next engine finds it")
    func stopFinishes() throws {
        let first = try harness()
        let granted = first.begin(grant(id(1), 100))
        first.engine.turn(of: .reader)
        let reserved = first.begin(reserve(id(2), 40))
        first.engine.stop()
        #expect(granted.calls == 1 && reserved.calls == 1)
        #expect(first.engine.pendingRecords == 0)

        let second = try Harness(TemporaryDirectory(of: first.directory.path))
        #expect(try second.totals() == BookTotals(granted: 100, available: 60, held: 40))
        #expect(try second.step(reserve(id(2), 40)).replayed)
        second.engine.stop()
    }

    @Test("A journal that fails is tried again when its time has come, not at each turn")
    func probesInTime() throws {
        let harness = try Harness {
            $0.workers = .byHand
            $0.limits.probeIntervalMs = 3_600_000
        }
        let granted = harness.begin(grant(id(1), 100))
        harness.engine.turn(of: .reader)
        harness.journal.fail(.system(operation: "write", path: "/j", errno: 5))
        #expect(harness.engine.turn(of: .commit))
        #expect(granted.calls == 1)
        #expect(harness.journal.failedAppends == 1)
        #expect(!harness.engine.turn(of: .commit))
        #expect(harness.journal.failedAppends == 1)
    }
}

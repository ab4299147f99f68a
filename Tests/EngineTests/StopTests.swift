import Engine
import Ledger
import Locks
import Storage
import Testing

@Suite struct StopTests {
    /// What the engine stops in the midst of.
    enum Midst: CaseIterable { case health, failingJournal }

    @Test(arguments: Midst.allCases)
    func everyCompletionIsCalledOnceWhenTheEngineStopsUnderLoad(midst: Midst) throws {
        let directory = try TemporaryDirectory()
        let harness = try Harness(directory) {
            $0.partitions = 3
            $0.tickMs = 1
            $0.limits.maxResidentTenants = 3
            $0.limits.rememberedSteps = 2
            $0.limits.flushIntervalMs = 1
        }
        for number in 0..<8 { _ = try harness.step(grant(id(1), 1_000_000), tenant(number)) }
        let calls = CallCount()
        let acknowledged = Protected<[(Int, Int)]>([])
        let hasStopped = Protected(false)
        let load = RunningThread()
        load.start {
            onThreads(8) { thread in
                var turn = 0
                // Goes on beyond the stop: who comes too late is answered as well.
                while turn < 300 || !hasStopped.withLock({ $0 }) {
                    turn += 1
                    let book = (thread + turn) % 8
                    let number = thread * 1_000_000 + turn + 10
                    let step = calls.expect()
                    harness.engine.submit(reserve(randomID(number), 1, ttlSeconds: 1_000), tenant: tenant(book)) {
                        if case .success(let result) = $0, case .success = result.outcome {
                            acknowledged.withLock { $0.append((book, number)) }
                        }
                        calls.count(step)
                    }
                    let read = calls.expect()
                    harness.engine.read(tenant: tenant(book), { state, _ in state.totals }) { _ in calls.count(read) }
                    let report = calls.expect()
                    harness.engine.report(
                        tenant: tenant(book),
                        { (shards, tenant) throws(StorageError) in try shards.extent(tenant)?.position }
                    ) { _ in calls.count(report) }
                    if turn % 50 == 0 { _ = harness.begin(reserve(randomID(number), 1), tenant(book)).wait() }
                }
            }
        }
        #expect(eventually { acknowledged.withLock { $0.count } > 200 })
        if midst == .failingJournal { harness.journal.fail(.system(operation: "write", path: "journal", errno: 28)) }
        harness.engine.stop()
        hasStopped.withLock { $0 = true }
        load.join()
        #expect(calls.areAllCalledOnce)
        let late = harness.begin(reserve(id(1), 1))
        guard case .failure(.stopping) = late.wait() else {
            Issue.record("who comes too late is told so")
            return
        }

        let next = try Harness(directory)
        for (book, number) in acknowledged.withLock({ $0 }) {
            #expect(try next.step(reserve(randomID(number), 1, ttlSeconds: 1_000), tenant(book)).replayed)
        }
        for number in 0..<8 { try next.verify(tenant(number)) }
        next.engine.stop()
    }

    @Test func stoppingTwiceIsStoppingOnce() throws {
        let harness = try Harness()
        _ = try harness.step(grant(id(1), 1))
        harness.engine.stop()
        harness.engine.stop()
    }
}

/// How often each of many completions was called.
private final class CallCount: Sendable {
    private let counts = Protected<[Int]>([])

    func expect() -> Int {
        counts.withLock {
            $0.append(0)
            return $0.count - 1
        }
    }

    func count(_ index: Int) { counts.withLock { $0[index] += 1 } }

    var areAllCalledOnce: Bool { counts.withLock { $0.allSatisfy { $0 == 1 } } }
}

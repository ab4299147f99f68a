import Locks
import Testing

@Suite struct MonitorTests {
    /// What several threads count under the lock is counted once each.
    @Test func oneThreadAtATimeHasTheLock() async {
        let monitor = Monitor()
        let count = Count()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for turn in 0..<2_000 {
                        monitor.lock()
                        count.value += 1
                        if turn % 100 == 0 { monitor.giveWay() }
                        monitor.unlock()
                    }
                }
            }
        }
        #expect(count.value == 8_000)
    }

    /// Who takes the lock again and again has to let another one have it that waits, and holds it itself afterwards.
    @Test func whoGivesWayLetsAnotherHaveTheLock() async {
        let monitor = Monitor()
        let turns = Count()
        monitor.lock()
        async let other: Void = monitor.locked { turns.value += 1 }
        // The other is on a thread of its own: this one holds the lock until then.
        while turns.value == 0 { monitor.giveWay() }
        turns.value += 1
        monitor.unlock()
        await other
        #expect(turns.value == 2)
    }

    /// Guarded by the monitor of the test.
    private final class Count: @unchecked Sendable {
        var value = 0
    }
}

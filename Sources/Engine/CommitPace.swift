import Synchronization

/// When a batch that gathers goes to the disk.
///
/// A sync costs the CPU as much as ten steps, however many it covers. So where several callers wait, and while somebody still
/// brings steps (`Arrivals`), a batch waits for more records, for `EngineLimits.gatherUs` at most: for half as many as waited
/// last, so that the disk works while the others are brought. Whoever has not paused for several batches has more to bring
/// than can be done: then only the time counts. A few callers gain nothing by all this, and wait for nobody.
///
/// It is used under the lock of `GroupCommit`, and is told the time.
struct CommitPace {
    /// Batches without a pause between them after which it is taken that there will be none.
    static let saturatedBatches = 8

    private let limits: EngineLimits
    private var dueNs: Int64 = 0
    private var pauses = 0
    private var batchesSincePause = 0
    /// Records at which no more are awaited.
    private(set) var awaited = 1

    init(_ limits: EngineLimits) { self.limits = limits }

    /// A batch was told to so many; so many more had gathered by then, and so often whoever brings them had paused.
    mutating func told(_ count: Int, gathered: Int, pauses: Int, nowNs: Int64) {
        batchesSincePause = pauses == self.pauses ? batchesSincePause + 1 : 0
        self.pauses = pauses
        let waited = count + gathered
        if waited < limits.fewCallers {
            awaited = 1
        } else {
            awaited = batchesSincePause >= Self.saturatedBatches ? .max : waited / 2
        }
        begin(nowNs: nowNs)
    }

    /// Records gather from now on.
    mutating func begin(nowNs: Int64) { dueNs = nowNs + Int64(limits.gatherUs) * 1_000 }

    /// Until when more records are awaited; nil where what is there goes to the disk.
    func dueNs(gathered: Int, isBusy: Bool, nowNs: Int64) -> Int64? {
        isBusy && gathered < awaited && nowNs < dueNs ? dueNs : nil
    }
}

/// Who brings steps at the moment, such as a loop that has calls to read.
final class Arrivals: Sendable {
    private let busy = Atomic(0)
    private let pauseCount = Atomic(0)
    private let isAwaited = Atomic(false)

    /// Sequentially consistent, as below: either who awaits a pause sees it, or who pauses sees that it is awaited.
    var areBusy: Bool { busy.load(ordering: .sequentiallyConsistent) > 0 }

    /// How often nobody brought anything any more.
    var pauses: Int { pauseCount.load(ordering: .relaxed) }

    /// Whether a pause is awaited from now on.
    func awaitPause(_ isAwaited: Bool) { self.isAwaited.store(isAwaited, ordering: .sequentiallyConsistent) }

    func began() { busy.wrappingAdd(1, ordering: .sequentiallyConsistent) }

    /// - Returns: whether nobody brings anything now, and that is awaited.
    func paused() -> Bool {
        guard busy.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue == 0 else { return false }
        pauseCount.wrappingAdd(1, ordering: .relaxed)
        return isAwaited.load(ordering: .sequentiallyConsistent)
    }
}

import Synchronization

/// What there was too much of when something was refused. The raw value is for people.
package enum Shortage: String, CaseIterable, Sendable {
    /// The batch that gathers, or the calls that wait for it, reached their bound.
    case batch = "the disk is behind; try again"
    /// The disk has had a batch for too long.
    case stall = "the disk takes too long; try again"
    /// The tenant has its share of the batch.
    case batchShare = "the disk is behind with this tenant's steps; try again"
    /// Records that no shard has, and the tenant's share of them.
    case pending = "the shards are behind; try again"
    case pendingShare = "the tenant's shard is behind; try again"
    case journal = "the journal is full, as a shard fails"
    /// Jobs that wait for one tenant's book, reports that wait for its shard, and changes of its limits.
    case book = "too many calls wait for this tenant's book"
    case shardReports = "too many reports wait for this tenant's shard"
    case limits = "the tenant is too busy to have its limits changed"
    /// What waits for a reader thread.
    case lookUps = "too many look-ups wait for a disk"
    case reports = "too many reports wait for a disk"
}

/// How often each was met since the start; and what was dropped since nobody waited for it any more.
final class ShortageCounts: @unchecked Sendable {
    // `Sendable`: the counters are atomic, and their memory stays where it is as long as the object lives.
    private let counters: UnsafeMutablePointer<Atomic<Int>>
    private static let size = Shortage.allCases.count + 1

    init() {
        counters = .allocate(capacity: Self.size)
        for index in 0..<Self.size { (counters + index).initialize(to: Atomic(0)) }
    }

    deinit {
        counters.deinitialize(count: Self.size)
        counters.deallocate()
    }

    func count(_ error: EngineError, _ times: Int = 1) {
        switch error {
        case .overloaded(let shortage): add(Shortage.allCases.firstIndex(of: shortage)!, times)
        case .callerGone: add(Self.size - 1, times)
        case .unavailable, .stopping, .damaged: break
        }
    }

    private func add(_ index: Int, _ times: Int) { counters[index].wrappingAdd(times, ordering: .relaxed) }

    func count(of shortage: Shortage) -> Int {
        counters[Shortage.allCases.firstIndex(of: shortage)!].load(ordering: .relaxed)
    }

    var dropped: Int { counters[Self.size - 1].load(ordering: .relaxed) }
}

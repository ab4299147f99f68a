import Ledger
import Locks
import Storage

/// The engine's parts, known to each other.
///
/// `@unchecked Sendable`: the parts are set once, before any thread starts, and guard themselves.
final class EngineCore: @unchecked Sendable {
    let journal: any Journal
    let shards: ShardStore
    let clock: any Clock
    /// Time zones and plans, for the core.
    let rules: any BookRules
    let limits: EngineLimits
    let groupCommit: GroupCommit
    @exclusivity(unchecked) private(set) var writeBehind: WriteBehind!
    @exclusivity(unchecked) private(set) var readers: ShardReaders!
    @exclusivity(unchecked) private(set) var partitions: [Partition] = []
    let shortages = ShortageCounts()
    private let observer: any EngineObserver

    init(
        journal: any Journal, shards: ShardStore, clock: any Clock, rules: any BookRules,
        configuration: EngineConfiguration, observer: any EngineObserver
    ) {
        self.journal = journal
        self.shards = shards
        self.clock = clock
        self.rules = rules
        limits = configuration.limits
        self.observer = observer
        groupCommit = GroupCommit(journal: journal, limits: limits, clock: clock)
        writeBehind = WriteBehind(core: self)
        readers = ShardReaders(
            threadCount: configuration.workers == .threads ? configuration.readerThreads : 0,
            maxJobs: limits.maxReaderJobs, maxReports: limits.maxReports)
        let share = max(1, limits.maxResidentTenants / configuration.partitions)
        partitions = (0..<configuration.partitions).map { _ in Partition(core: self, maxResident: share) }
        groupCommit.rollBack = { [unowned self] durable, discardGathered in
            for partition in partitions { partition.monitor.lock() }
            discardGathered()
            for partition in partitions { partition.rollBack(to: durable) }
            for partition in partitions { partition.monitor.unlock() }
        }
        groupCommit.healthChanged = { observer.journalHealth($0) }
    }

    /// The partition that a tenant belongs to, the same for the life of the engine.
    func partition(of tenant: TenantID) -> Partition {
        partitions.count == 1 ? partitions[0] : partition(hash: UInt(bitPattern: tenant.hashValue))
    }

    func partition(of seat: TenantSeat) -> Partition { partition(hash: seat.hash) }

    private func partition(hash: UInt) -> Partition { partitions[Int(hash % UInt(partitions.count))] }

    /// How far a tenant's shard goes, nowhere where there is none.
    func extent(of tenant: TenantID) throws(StorageError) -> ShardExtent {
        let held = try shards.extent(tenant) ?? ShardExtent()
        try check(heldPosition: held.position, of: tenant)
        return held
    }

    /// A shard follows the journal. One that is ahead of it belongs to another journal, or this one was lost: new records
    /// would get numbers that the shard believes to have, and be dropped.
    func check(heldPosition: UInt64, of tenant: TenantID) throws(StorageError) {
        let durable = groupCommit.durablePosition
        guard heldPosition <= durable else {
            throw .corrupt(
                path: "the shard of tenant \(tenant)",
                reason: "it holds record \(heldPosition), and the journal, which ends at \(durable), is not its own")
        }
    }

    /// The oldest record that no shard has yet.
    func firstPendingPosition() -> UInt64? {
        partitions.compactMap { $0.firstPendingPosition() }.min()
    }

    /// Why no step can be taken at the moment; nil where one can.
    var whyNotWrite: EngineError? { groupCommit.whyNotWrite ?? writeBehind.whyNotWrite }

    /// The same for one tenant, which may have taken its share of what is bounded. The lock of its partition is held.
    func whyNotWrite(_ book: Book) -> EngineError? {
        groupCommit.whyNotWrite(book) ?? writeBehind.whyNotWrite(book)
    }

    /// The error, counted.
    func noted(_ error: EngineError) -> EngineError {
        shortages.count(error)
        return error
    }

    /// No lock is held. A book whose shard is damaged is not served from memory either.
    func report(_ error: StorageError, of tenant: TenantID?) {
        if let tenant, error.isCorruption { partition(of: tenant).layDown(tenant) }
        observer.storageFault(error, tenant: tenant)
    }

    /// Forgets all that waits: nobody will come to it, and nobody is told.
    func abandon() {
        readers.abandon()
        groupCommit.abandon()
        for partition in partitions { partition.abandon() }
    }

    func shardsHealth(_ error: StorageError?) {
        observer.shardsHealth(error)
    }
}

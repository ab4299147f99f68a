import Ledger
import Storage

/// A tenant's state while it is in memory, by reference: it is large and cannot be copied.
final class ResidentState {
    @exclusivity(unchecked) var ledger: LedgerState

    init(_ ledger: consuming LedgerState) {
        self.ledger = ledger
    }
}

/// One tenant as the engine knows it: its state while it is in memory, and what its shard does not have yet.
///
/// Guarded by its partition's lock. What holds at all times: `state`, where there is one, is the shard's book with all of
/// `flushing` and `pending` evolved on top; everything at or below `flushedPosition` is in the shard.
///
/// `@unchecked Sendable`: it goes from thread to thread, but everything mutable is touched only under its partition's lock.
/// `@exclusivity(unchecked)`: as in `Partition`.
final class Book: @unchecked Sendable {
    enum Phase {
        /// No state in memory. The book stays known only while something is pending.
        case asleep
        /// A reader thread loads it; jobs wait.
        case loading
        case awake
    }

    let tenant: TenantID
    /// Its partition has it under its tenant's name. A book that is no longer known is never used again.
    @exclusivity(unchecked) var isKnown = false
    unowned(unsafe) let partition: Partition
    @exclusivity(unchecked) var phase = Phase.asleep
    @exclusivity(unchecked) var state: ResidentState?
    var waiting: [Job] = []

    /// Journaled, or about to be, and not in the shard.
    @exclusivity(unchecked) var pending = RecordRun()
    /// What the flush thread writes to the shard now, all of it durable.
    @exclusivity(unchecked) var flushing = RecordRun()
    /// Position of the tenant's newest record.
    @exclusivity(unchecked) var lastPosition: UInt64 = 0
    /// What the shard holds; nil until it was asked.
    var flushedPosition: UInt64?
    /// Number of the newest entry that the shard is known to hold.
    var flushedSequence: UInt64 = 0

    /// The shard is being written: it may not be loaded meanwhile.
    var isFlushing: Bool { !flushing.isEmpty }
    /// Its place in one of the flush thread's lines, 0 where it has none.
    @exclusivity(unchecked) var ticket: UInt64 = 0
    /// It waits, beyond the usual time, until it has gathered enough.
    @exclusivity(unchecked) var isGathering = false
    /// Its part of `gatherRecords`, in percent: tenants that are used evenly would otherwise have enough all at once.
    private let patience: Int
    /// It stands in the line of those in a hurry.
    var isUrgent = false
    var flushWaiters: [FlushWaiter] = []

    /// How many closed steps stay in memory although the shard has them.
    @exclusivity(unchecked) var keptSteps = Int.max

    /// The look-ups in the shard under way, each with `flushedSequence` as it was when the look-up began. What came to the
    /// shard later may be missing from what the look-up finds, so memory keeps it until the look-up is over.
    var recalls: [UInt64] = []
    /// The batch in which it gathered something last, by its first position, and how many bytes of that batch are its own.
    @exclusivity(unchecked) private var gatheredBatch: UInt64 = 0
    @exclusivity(unchecked) private var gatheredBytes = 0
    /// Grows when the state is thrown away; what was looked up before counts no more.
    var generation = 0

    /// For eviction: touched since the hand last passed.
    @exclusivity(unchecked) var wasUsed = true
    var ringIndex = 0
    /// When the timers look at it next.
    @exclusivity(unchecked) var scheduledDeadline = Instant.distantFuture

    init(tenant: TenantID, partition: Partition) {
        self.tenant = tenant
        self.partition = partition
        // The low bits chose the partition.
        patience = 50 + Int(UInt(bitPattern: tenant.hashValue) >> 32 % 100)
    }

    var isEvictable: Bool {
        phase != .loading && pending.isEmpty && !isFlushing && ticket == 0 && !isUrgent && recalls.isEmpty
            && waiting.isEmpty && flushWaiters.isEmpty
    }

    /// It added so much to a batch.
    func gathered(_ byteCount: Int, inBatch first: UInt64) {
        gatheredBytes = gatheredBytes(inBatch: first) + byteCount
        gatheredBatch = first
    }

    func gatheredBytes(inBatch first: UInt64) -> Int { gatheredBatch == first ? gatheredBytes : 0 }

    /// It has as much as is worth a transaction.
    func hasGathered(_ records: Int) -> Bool { pending.count * 100 >= records * patience }

    /// Up to which entry memory may forget closed steps.
    var forgettableSequence: UInt64 { min(flushedSequence, recalls.min() ?? .max) }

    /// Lets memory forget closed steps that the shard holds.
    /// - Returns: true where so many were forgotten and more may be.
    @discardableResult
    func forget(atMost count: Int) -> Bool {
        guard phase == .awake, let state else { return false }
        return state.ledger.forget(flushedThrough: forgettableSequence, keep: keptSteps, atMost: count)
    }

    /// Moves what is durable of the pending records to `flushing`; false where that is nothing.
    func takePending(through durable: UInt64, maxRecords: Int) -> Bool {
        precondition(flushing.isEmpty, "a book is flushed by one thread at a time")
        swap(&flushing, &pending)
        pending = flushing.split(through: durable, maxCount: maxRecords)
        return !flushing.isEmpty
    }

    /// The shard did not take what was flushing.
    func putPendingBack() {
        flushing.append(contentsOf: pending)
        pending = RecordRun()
        swap(&flushing, &pending)
    }

    /// Takes out the reports that wait for a position up to this one.
    func takeFlushWaiters(through position: UInt64) -> [FlushWaiter] {
        if flushWaiters.isEmpty { return [] }
        let reached = flushWaiters.filter { $0.position <= position }
        flushWaiters.removeAll { $0.position <= position }
        return reached
    }

    /// Throws the state away; it is built again from the shard and what is pending when somebody asks.
    func sleep() {
        state = nil
        generation += 1
        if phase == .awake { phase = .asleep }
    }
}

/// A report that waits until the shard holds everything up to a position.
struct FlushWaiter {
    let position: UInt64
    let body: @Sendable (EngineError?) -> Void
}

/// Something to do with a tenant's state once it is in memory.
enum Job: Sendable {
    case step(Command, any StepListener)
    case steps(StepsJob)
    case limits(LimitsJob)
    /// `body` looks at the settled state, under the partition's lock, and returns what delivers the result once all that it saw is durable.
    case read(ReadJob)
    /// Ends what is due.
    case settle

    /// Who waits for it, as far as that is known.
    var caller: (any StepCaller)? {
        switch self {
        case .step(_, let listener): listener
        case .steps(let job): job.listener
        case .limits(let job): job.listener
        case .read, .settle: nil
        }
    }

    /// How many wait for it to be told what came of them.
    var count: Int {
        if case .steps(let job) = self { job.rest.count } else { 1 }
    }

    func fail(_ error: EngineError) {
        switch self {
        case .step(_, let listener): listener.settled(error)
        case .steps(let job): job.fail(error)
        case .limits(let job): job.listener.settled(error)
        case .read(let job): job.failed(error)
        case .settle: break
        }
    }
}

struct ReadJob: Sendable {
    let queue: (any CompletionQueue)?
    let body: @Sendable (borrowing LedgerState, Instant, Book) -> @Sendable () -> Void
    let failed: @Sendable (EngineError) -> Void
}

import Dispatch
import Engine
import Ledger
import LoadGenerator
import Locks
import Storage
import Tollgate

/// Writes a data directory whose books are long, by the ledger and the shards that a server works with, without one.
///
/// Each tenant of `bench` gets a grant and then reserves and commits over the last thirty days. A shard may not be ahead of
/// the journal: the last tenant's first steps stand there too, as many as a shard has flushes.
struct BookWriter: Sendable {
    /// Entries that go to a shard in one transaction.
    private static let entriesPerFlush: UInt64 = 8_192

    let data: DataDirectory
    let shards: ShardStore
    let tenants: Int
    /// Entries of each tenant.
    let entriesPerTenant: UInt64
    let now = SystemClock().now()

    init(path: String, tenants: Int, entries: Int) throws(StorageError) {
        data = try DataDirectory(path: path, create: false)
        shards = ShardStore(path: data.shards)
        self.tenants = tenants
        entriesPerTenant = UInt64(entries / tenants)
    }

    /// Writes all of it, on as many threads as there are cores; `progress` hears of each tenant that is done.
    func write(progress: @escaping @Sendable () -> Void) throws(StorageError) {
        defer { data.close() }
        try writeDirectory()
        try writeJournal()
        let failure = Protected<StorageError?>(nil)
        DispatchQueue.concurrentPerform(iterations: tenants) { number in
            guard failure.withLock({ $0 == nil }) else { return }
            do throws(StorageError) {
                try writeBook(number)
                progress()
            } catch {
                failure.withLock { $0 = $0 ?? error }
            }
        }
        shards.close()
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    private func writeDirectory() throws(StorageError) {
        let directory = try Directory(path: data.directory)
        defer { directory.close() }
        for number in 0..<tenants {
            // As `bench prepare` would make it, which then finds it as it should be.
            let record = TenantRecord(
                id: Self.tenant(number), plan: "", displayName: "", timeZone: "UTC", createdAt: now)
            _ = try directory.createTenant(record)
        }
    }

    /// As many records as a shard has flushes: the first steps of the last tenant, whose shard will hold them.
    private func writeJournal() throws(StorageError) {
        let journal = try LocalJournal(directory: data.journal)
        defer { journal.close() }
        var batch = JournalBatch(first: 1)
        var book = BenchBook(number: tenants - 1, entries: entriesPerTenant, until: now)
        while UInt64(batch.count) < flushes {
            let entries = book.nextStep() ?? []
            _ = batch.add(tenant: Self.tenant(tenants - 1)) { EntryCodec.encodeRecord(entries, into: &$0) }
        }
        try journal.append(batch)
    }

    /// Flushes of one tenant, and so the last position that a shard holds.
    private var flushes: UInt64 { (entriesPerTenant + Self.entriesPerFlush - 1) / Self.entriesPerFlush }

    private func writeBook(_ number: Int) throws(StorageError) {
        let tenant = Self.tenant(number)
        var book = BenchBook(number: number, entries: entriesPerTenant, until: now)
        var pending: [Entry] = []
        for position in 1...flushes {
            // The last flush takes whatever is left, so that there are never more flushes than positions.
            let limit = position == flushes ? Int.max : Int(Self.entriesPerFlush)
            while pending.count < limit, let entries = book.nextStep() { pending += entries }
            try shards.apply(tenant, RecordRun(pending, at: position))
            book.forget()
            pending.removeAll(keepingCapacity: true)
        }
        for error in shards.makeDurable([tenant]).values { throw error }
    }

    private static func tenant(_ number: Int) -> TenantID {
        guard let tenant = TenantID(BenchTenants.name(number)) else { preconditionFailure("bench names are tenants") }
        return tenant
    }
}

/// One tenant's book as it grows: the same for the same number, always.
private struct BenchBook: ~Copyable {
    /// How long before its end the book begins.
    private static let spanMicroseconds: Int64 = 30 * 24 * 3_600 * 1_000_000
    /// From a Reserve to its Commit.
    private static let callMicroseconds: Int64 = 2_000_000
    private static let grantMicros: Int64 = 1_000_000_000_000_000
    /// Steps that memory keeps: those of one hold are enough.
    private static let keptSteps = 16

    private var state = LedgerState()
    private let number: UInt64
    private let entries: UInt64
    private let stepMicroseconds: Int64
    private var at: Instant
    private var random: UInt64
    private var open: StepID?
    private var row = 0

    init(number: Int, entries: UInt64, until: Instant) {
        self.number = UInt64(number)
        self.entries = entries
        stepMicroseconds = max(Self.callMicroseconds, Self.spanMicroseconds / Int64(entries / 2 + 1))
        at = until.advanced(microseconds: -stepMicroseconds * Int64(entries / 2 + 1))
        random = UInt64(number) &* 0x9E37_79B9_7F4A_7C15
    }

    /// The entries of the next step; nil where the book is as long as it should be.
    mutating func nextStep() -> [Entry]? {
        guard state.sequence < entries || open != nil else { return nil }
        var all = state.settle(at: at)
        let decision = state.decide(nextCommand(), at: at)
        guard case .success = decision.outcome else { preconditionFailure("a bench book's steps are never refused") }
        for entry in decision.entries { state.evolve(entry) }
        all += decision.entries
        return all
    }

    /// What is in the shard need not be in memory.
    mutating func forget() {
        state.forget(flushedThrough: state.sequence, keep: Self.keptSteps)
    }

    private mutating func nextCommand() -> Command {
        guard state.sequence > 0 else {
            return .grant(
                GrantCommand(
                    id: newID(), fingerprint: nextRandom(), kind: .purchased, amountMicros: Self.grantMicros))
        }
        if let reservation = open {
            open = nil
            let used = quantities(generated: BenchTrace.generated(row))
            return .commit(
                CommitCommand(
                    reservation: reservation, fingerprint: nextRandom(),
                    ask: .quantities(used, quality: .unspecified, price: nil)))
        }
        row += 1
        at.microseconds += stepMicroseconds - Self.callMicroseconds
        let reserve = ReserveCommand(
            id: newID(), fingerprint: nextRandom(),
            ask: .quantities(
                quantities(generated: BenchTrace.generatedMax), quality: .unspecified, price: Self.price),
            feature: "chat")
        at.microseconds += Self.callMicroseconds
        // One entry is left: a charge makes one, where a reserve would want its commit.
        if state.sequence + 1 == entries { return .charge(reserve) }
        open = reserve.id
        return .reserve(reserve)
    }

    private static let price: PriceSchedule = {
        guard let price = Catalog.builtIn.price(of: "chat") else { preconditionFailure("the built-in feature") }
        return price
    }()

    private func quantities(generated: Int64) -> [Quantity] {
        [
            Quantity(unit: "context_tokens", count: BenchTrace.context(row)),
            Quantity(unit: "generated_tokens", count: generated),
        ]
    }

    /// A UUID of version 7 of this moment.
    private mutating func newID() -> StepID {
        let milliseconds = UInt64(at.microseconds / 1_000)
        return StepID(high: milliseconds << 16 | 0x7000 | nextRandom() >> 52, low: 1 << 63 | nextRandom() >> 2)
    }

    /// SplitMix64.
    private mutating func nextRandom() -> UInt64 {
        random &+= 0x9E37_79B9_7F4A_7C15
        var mixed = random
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

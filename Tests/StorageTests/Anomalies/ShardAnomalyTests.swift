import Ledger
import SimulatedDisk
import Testing

@testable import Storage

/// A book as it was journaled, in the runs in which it is flushed, and how it stands after each.
struct JournaledBook {
    let tenant: TenantID
    private(set) var runs: [RecordRun] = []
    private(set) var totals: [BookTotals] = []
    private(set) var sequences: [UInt64] = []

    init(tenant: TenantID, seed: UInt64, steps: Int, runs count: Int) throws {
        self.tenant = tenant
        let made = GovernedBook(
            tenant: tenant, seed: seed, store: ShardStore(path: "/", fileSystem: SimulatedDisk()))
        try made.run(steps: steps, flushes: 0)
        let size = (made.records.count + count - 1) / count
        let store = ShardStore(path: "/", fileSystem: SimulatedDisk())
        for start in stride(from: 0, to: made.records.count, by: size) {
            var run = RecordRun()
            for index in start..<min(start + size, made.records.count) {
                run.append(contentsOf: RecordRun(made.records[index], at: UInt64(index + 1)))
            }
            runs.append(run)
            try store.apply(tenant, run)
            let loaded = try #require(try store.load(tenant))
            totals.append(loaded.snapshot.totals)
            sequences.append(loaded.snapshot.sequence)
        }
        store.close()
    }

    /// What the journal has of it behind a position, in the same runs.
    func missing(behind position: UInt64) -> [RecordRun] {
        runs.compactMap { run in
            var run = run
            let missing = run.split(through: position)
            return missing.isEmpty ? nil : missing
        }
    }
}

/// The n-th call of a shard, its manifest and their directory fails, for every n.
@Suite struct ShardAnomalyTests {
    static let path = "/shards"
    static let book = Result { try JournaledBook(tenant: "acme", seed: 21, steps: 36, runs: 4) }

    static var disk: SimulatedDisk { SimulatedDisk(directories: [path]) }

    /// The shards of one process, which closes them whatever comes of it.
    static func withStore<Value>(on disk: SimulatedDisk, _ body: (ShardStore) throws -> Value) rethrows -> Value {
        let store = ShardStore(path: path, fileSystem: disk)
        defer { store.close() }
        return try body(store)
    }

    /// What a process was promised before it ended.
    struct Outcome {
        /// Position that was applied.
        var applied: UInt64 = 0
        /// Position that was made durable.
        var durable: UInt64 = 0
        /// The journal may be trimmed through this one.
        var trimmed: UInt64 = 0
    }

    /// Tries again once, as the flush thread does.
    static func attempt(_ point: String, _ body: () throws(StorageError) -> Void) -> Bool {
        for _ in 0..<2 {
            do throws(StorageError) {
                try body()
                return true
            } catch {
                #expect("\(error)".contains(path) || "\(error)".contains("acme"), "\(point) names no file: \(error)")
                #expect(!error.isCorruption, "a fault is not taken for damage: \(error)")
            }
        }
        return false
    }

    static func flush(_ run: RecordRun, of tenant: TenantID, into store: ShardStore) -> Bool {
        var isFirst = true
        return attempt("apply") { () throws(StorageError) in
            var run = run
            if !isFirst {
                let held = try store.extent(tenant)?.position ?? 0
                let missing = run.split(through: held)
                if !missing.isEmpty { try store.apply(tenant, missing) }
                return
            }
            isFirst = false
            try store.apply(tenant, run)
        }
    }

    /// - Parameter capacity: shards that stay open; with 0 each is opened for one use.
    static func process(_ book: JournaledBook, _ disk: SimulatedDisk, capacity: Int) -> Outcome {
        var outcome = Outcome()
        let store = ShardStore(path: path, bounds: ShardBounds(openShards: capacity), fileSystem: disk)
        defer { store.close() }
        for (index, run) in book.runs.enumerated() {
            guard flush(run, of: book.tenant, into: store) else { return outcome }
            outcome.applied = run.lastPosition
            // What cannot be read is an error, and never less than there is.
            if let loaded = try? store.load(book.tenant) {
                #expect(loaded.position == outcome.applied && loaded.snapshot.totals == book.totals[index])
            }
            if index % 2 == 0 {
                let isDone = attempt("makeDurable") { () throws(StorageError) in
                    for error in store.makeDurable([book.tenant]).values { throw error }
                }
                guard isDone else { return outcome }
                outcome.durable = outcome.applied
                let mayTrim = attempt("willTrim") { () throws(StorageError) in
                    try store.willTrimJournal(through: outcome.durable)
                }
                guard mayTrim else { return outcome }
                outcome.trimmed = outcome.durable
            }
            if index == 1 { store.closeIdle() }
        }
        return outcome
    }

    /// The next process finds what was promised, and brings it up to the journal.
    static func check(
        _ book: JournaledBook, _ disk: SimulatedDisk, _ outcome: Outcome, _ point: Anomalies.Point
    ) throws {
        let context: Comment = "\(point)"
        #expect(point.leaks.isEmpty, context)
        let store = ShardStore(path: path, fileSystem: disk)
        do {
            try store.check(journalFrom: outcome.trimmed + 1)
            let held = try store.extent(book.tenant)?.position ?? 0
            #expect(held >= outcome.durable, "\(point): holds \(held), promised \(outcome)")
            #expect(held == 0 || book.runs.contains { $0.lastPosition == held }, "\(point): a run in part, \(held)")
            for run in book.missing(behind: held) { try store.apply(book.tenant, run) }
            #expect(try store.load(book.tenant)?.snapshot.totals == book.totals.last, context)
            try store.settleOpen()
            let verdict = try store.verify(book.tenant)
            #expect(verdict.fault == nil && verdict.entries == book.sequences.last, context)
        } catch {
            Issue.record("\(point): \(error)")
        }
        store.close()
        #expect(disk.openFiles.isEmpty, context)
    }

    @Test(arguments: [4, 0]) func aFaultAnywhereInAShard(capacity: Int) throws {
        let book = try Self.book.get()
        let points = try Anomalies(of: "shards with \(capacity) open", on: Self.disk, seed: propertySeed).run {
            Self.process(book, $0, capacity: capacity)
        } check: {
            try Self.check(book, $0, $1, $2)
        }
        #expect(points > 500)
    }

    /// A process was killed with a log that nobody has moved into the file; the next one opens, reads and moves it.
    @Test func aFaultAnywhereWhileACrashIsRecoveredFrom() throws {
        let book = try Self.book.get()
        let crashed = Self.disk
        try Self.withStore(on: crashed) { store in
            for run in book.runs.dropLast() {
                try store.apply(book.tenant, run)
                for error in store.makeDurable([book.tenant]).values { throw error }
            }
            crashed.losePower(.all)
        }
        let promised = book.runs[book.runs.count - 2].lastPosition
        let points = try Anomalies(of: "recovery of a shard", on: crashed, seed: propertySeed).run { disk in
            Self.withStore(on: disk) { store in
                var outcome = Outcome(applied: promised, durable: promised)
                if let loaded = try? store.load(book.tenant) { #expect(loaded.position == promised) }
                if let use = try? store.transactions(book.tenant, query: TransactionQuery(limit: 5)) {
                    #expect(use.entries.count == 5)
                }
                if let verdict = try? store.verify(book.tenant) { #expect(verdict.position == promised) }
                if Self.flush(book.runs.last!, of: book.tenant, into: store) {
                    outcome.applied = book.runs.last!.lastPosition
                }
                return outcome
            }
        } check: {
            try Self.check(book, $0, $1, $2)
        }
        #expect(points > 200)
    }

    @Test func aFaultAnywhereInTheRemovalOfABook() throws {
        let book = try Self.book.get()
        let whole = Self.disk
        try Self.withStore(on: whole) { store in
            for run in book.runs { try store.apply(book.tenant, run) }
            try store.settle()
        }
        let points = Anomalies(of: "removal of a shard", on: whole, seed: propertySeed).run { disk in
            Self.withStore(on: disk) { store in
                Self.attempt("delete") { () throws(StorageError) in try store.delete(book.tenant) }
            }
        } check: { disk, isDone, point in
            #expect(point.leaks.isEmpty, "\(point)")
            do {
                try Self.withStore(on: disk) { store in
                    let loaded = try store.load(book.tenant)
                    if let loaded { #expect(!isDone && loaded.snapshot.totals == book.totals.last, "\(point)") }
                    try store.delete(book.tenant)
                    #expect(try store.load(book.tenant) == nil, "\(point)")
                    #expect(try store.tenants().isEmpty, "\(point)")
                    // The tenant may come back, and gets a book of its own.
                    for run in book.runs { try store.apply(book.tenant, run) }
                    try store.settleOpen()
                    #expect(try store.verify(book.tenant).fault == nil, "\(point)")
                }
            } catch {
                Issue.record("\(point): \(error)")
            }
        }
        #expect(points > 50)
    }
}

extension ShardStore {
    /// Makes all durable.
    func settleOpen() throws(StorageError) {
        for error in makeDurable(try tenants()).values { throw error }
    }
}

/// What decides by chance what a power cut leaves: TOLLGATE_SEED, or always the same.
var propertySeed: UInt64 { propertySeeds(1..<2)[0] }

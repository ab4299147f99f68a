import Engine
import Foundation
import Ledger
import Locks
import Storage
import Testing

import protocol Engine.Clock

/// A data directory. One that the test made goes with it.
final class TemporaryDirectory: Sendable {
    let path: String
    private let isOurs: Bool

    init() throws {
        path = NSTemporaryDirectory() + "tollgate-engine-" + UUID().uuidString
        isOurs = true
        for part in ["/journal", "/shards"] {
            try FileManager.default.createDirectory(atPath: path + part, withIntermediateDirectories: true)
        }
    }

    /// One that is there already.
    init(of path: String) {
        self.path = path
        isOurs = false
    }

    deinit { if isOurs { try? FileManager.default.removeItem(atPath: path) } }
}

/// What the engine said of its health.
final class HealthLog: EngineObserver {
    private let said = Protected<(journal: [Bool], shards: [Bool], faults: Int)>(([], [], 0))

    func journalHealth(_ error: StorageError?) { said.withLock { $0.journal.append(error == nil) } }
    func shardsHealth(_ error: StorageError?) { said.withLock { $0.shards.append(error == nil) } }
    func storageFault(_ error: StorageError, tenant: TenantID?) { said.withLock { $0.faults += 1 } }

    /// In order: false where writes stopped, true where they went on.
    var journal: [Bool] { said.withLock { $0.journal } }
    var shards: [Bool] { said.withLock { $0.shards } }
}

/// An engine on the real journal and the real shards of a directory, with a script between it and the journal.
final class Harness: Sendable {
    let directory: TemporaryDirectory
    let journal: ScriptedJournal
    let shards: ShardStore
    let health = HealthLog()
    let engine: Engine

    /// - Parameter change: what the test has otherwise than the defaults, which are: quick flushes and probes, no timer.
    init(
        _ directory: TemporaryDirectory? = nil, clock: any Clock = SystemClock(),
        rules: any BookRules = PlainRules.shared, segmentBytes: Int64 = 1 << 20,
        _ change: (inout EngineConfiguration) -> Void = { _ in }
    ) throws {
        let directory = try directory ?? TemporaryDirectory()
        self.directory = directory
        var configuration = EngineConfiguration()
        configuration.tickMs = 3_600_000
        configuration.limits.flushIntervalMs = 5
        configuration.limits.probeIntervalMs = 5
        change(&configuration)
        journal = ScriptedJournal(
            try LocalJournal(directory: directory.path + "/journal", segmentBytes: segmentBytes))
        shards = ShardStore(path: directory.path + "/shards")
        engine = try Engine(
            journal: journal, shards: shards, clock: clock, rules: rules, configuration: configuration,
            observer: health)
    }

    /// Hands the step over and does not wait.
    func begin(_ command: Command, _ tenant: TenantID = acme) -> Outcome<Result<StepResult, EngineError>> {
        let outcome = Outcome<Result<StepResult, EngineError>>()
        engine.submit(command, tenant: tenant, completion: outcome.completion)
        return outcome
    }

    func step(_ command: Command, _ tenant: TenantID = acme) throws -> StepResult {
        try #require(begin(command, tenant).wait()).get()
    }

    func answer(_ command: Command, _ tenant: TenantID = acme) throws -> StepAnswer {
        try step(command, tenant).outcome.get()
    }

    /// Of an engine that is stepped by hand: has its workers do all that there is to do.
    func settleByHand(reads: Bool = true) {
        var isIdle = false
        while !isIdle || engine.pendingRecords > 0 {
            isIdle = true
            for worker in [EngineWorker.commit, .flush] + (reads ? [.reader] : []) where engine.turn(of: worker) {
                isIdle = false
            }
        }
    }

    /// The same, of steps that are to succeed.
    func doByHand(_ commands: [Command], reads: Bool = true) throws {
        let outcomes = commands.map { begin($0) }
        settleByHand(reads: reads)
        for outcome in outcomes { _ = try #require(outcome.wait()).get().outcome.get() }
    }

    func totals(_ tenant: TenantID = acme) throws -> BookTotals {
        try look(tenant) { state, _ in state.totals }
    }

    func look<Value: Sendable>(
        _ tenant: TenantID = acme, _ body: @escaping @Sendable (borrowing LedgerState, Instant) -> Value
    ) throws -> Value {
        let outcome = Outcome<Result<Value, EngineError>>()
        engine.read(tenant: tenant, body, completion: outcome.completion)
        return try #require(outcome.wait()).get()
    }

    func report<Value: Sendable>(
        _ tenant: TenantID = acme, _ body: @escaping @Sendable (ShardStore, TenantID) throws(StorageError) -> Value
    ) throws -> Value {
        let outcome = Outcome<Result<Value, EngineError>>()
        engine.report(tenant: tenant, body, completion: outcome.completion)
        return try #require(outcome.wait()).get()
    }

    /// All entries that the shard has, oldest first, after what is acknowledged has reached it.
    func entries(_ tenant: TenantID = acme) throws -> [Entry] {
        try report(tenant) { (shards, tenant) throws(StorageError) in
            var entries: [Entry] = []
            var query = TransactionQuery(limit: 1_000)
            repeat {
                let page = try shards.transactions(tenant, query: query)
                entries += page.entries.map(\.entry)
                query.before = page.next
            } while query.before != nil
            return entries.reversed()
        }
    }

    /// Proves the book that the shard has after what is acknowledged has reached it.
    func verify(_ tenant: TenantID = acme) throws {
        let verdict = try report(tenant) { (shards, tenant) throws(StorageError) in try shards.verify(tenant) }
        #expect(verdict.fault == nil, "\(tenant)")
        #expect(verdict.totals.isConserved, "\(tenant)")
    }
}

let acme = TenantID("acme")!

func tenant(_ number: Int) -> TenantID { TenantID("tenant-\(number)")! }

import Engine
import Ledger
import Locks
import SimulatedDisk
import Storage
import Testing

import protocol Engine.Clock

/// The n-th call of a whole engine, with journal, shards and manifest on one disk, fails, for every n.
@Suite struct AnomalyTests {
    /// Stands still but for what waits.
    final class SteppedClock: Clock {
        private let ms = Protected(1_000)

        func now() -> Instant { Instant(microseconds: 1_767_225_600_000_000) }
        var monotonicMs: Int { ms.withLock { $0 } }
        func pass(_ count: Int) { ms.withLock { $0 += count } }
    }

    struct Step {
        let tenant: TenantID
        let command: Command
    }

    static let steps: [Step] = [
        Step(tenant: acme, command: grant(id(1), 10_000)),
        Step(tenant: tenant(1), command: grant(id(1), 500)),
        Step(tenant: acme, command: reserve(id(2), 300)),
        Step(tenant: acme, command: commit(id(2), 200)),
        Step(tenant: tenant(1), command: reserve(id(3), 400)),
        Step(tenant: acme, command: refund(id(4), of: id(2), 50)),
        Step(tenant: acme, command: reserve(randomID(5), 70)),
    ]

    static let disk = SimulatedDisk(directories: ["/journal", "/shards"])

    /// An engine whose workers work one after the other, here.
    struct Process {
        let engine: Engine
        let clock = SteppedClock()

        init(_ disk: SimulatedDisk) throws(StorageError) {
            var configuration = EngineConfiguration()
            configuration.workers = .byHand
            configuration.partitions = 1
            configuration.limits.flushIntervalMs = 5
            configuration.limits.probeIntervalMs = 5
            configuration.limits.trimBytes = 400
            let journal = try LocalJournal(
                directory: "/journal", fileSystem: disk, segmentBytes: 600, spares: .never, randomSalt: { 99 })
            do throws(StorageError) {
                engine = try Engine(
                    journal: journal, shards: ShardStore(path: "/shards", fileSystem: disk), clock: clock,
                    configuration: configuration, observer: HealthLog())
            } catch {
                journal.close()
                throw error
            }
        }

        /// Does a step, tried a few times under its id; nil where the engine does not take it.
        func take(_ step: Step) -> StepResult? {
            for _ in 0..<4 {
                if case .success(let result) = submit(step) { return result }
            }
            return nil
        }

        private func submit(_ step: Step) -> Result<StepResult, EngineError>? {
            let told = Protected<Result<StepResult, EngineError>?>(nil)
            engine.submit(step.command, tenant: step.tenant) { result in told.withLock { $0 = result } }
            for _ in 0..<40 {
                work()
                if let result = told.withLock({ $0 }) { return result }
            }
            Issue.record("a step was never answered")
            return nil
        }

        func work() {
            clock.pass(3)
            for worker in EngineWorker.allCases { engine.turn(of: worker) }
        }

        func totals(_ tenant: TenantID) -> BookTotals? {
            report(tenant) { shards, tenant throws(StorageError) in
                let verdict = try shards.verify(tenant)
                return verdict.fault == nil ? verdict.totals : nil
            } ?? nil
        }

        private func report<Value: Sendable>(
            _ tenant: TenantID, _ body: @escaping @Sendable (ShardStore, TenantID) throws(StorageError) -> Value
        ) -> Value? {
            let told = Protected<Result<Value, EngineError>?>(nil)
            engine.report(tenant: tenant, body) { result in told.withLock { $0 = result } }
            for _ in 0..<40 where told.withLock({ $0 == nil }) { work() }
            return try? told.withLock { $0 }?.get()
        }
    }

    /// Does the steps as far as the disk lets it.
    static func run(_ disk: SimulatedDisk) -> [StepResult?] {
        var process: Process?
        for _ in 0..<2 where process == nil { process = try? Process(disk) }
        guard let process else { return [] }
        let results = steps.map { process.take($0) }
        for _ in 0..<5 { process.work() }
        process.engine.stop()
        return results
    }

    /// What all steps, each done once, come to.
    static let reference = Result { () throws -> (results: [StepResult?], totals: [BookTotals?]) in
        let disk = SimulatedDisk(directories: ["/journal", "/shards"])
        let results = run(disk)
        let process = try Process(disk)
        defer { process.engine.stop() }
        return (results, [process.totals(acme), process.totals(tenant(1))])
    }

    static func check(_ disk: SimulatedDisk, _ results: [StepResult?], _ point: Anomalies.Point) throws {
        let (expected, totals) = try reference.get()
        let context: Comment = "\(point)"
        #expect(point.leaks.isEmpty, context)
        do {
            let process = try Process(disk)
            for (index, step) in steps.enumerated() {
                let again = process.take(step)
                let isSame = again?.outcome == expected[index]?.outcome
                #expect(isSame, "step \(index): \(point)")
                let wasAcknowledged = index < results.count && results[index] != nil
                if wasAcknowledged { #expect(again?.replayed == true, "step \(index) was lost: \(point)") }
            }
            #expect([process.totals(acme), process.totals(tenant(1))] == totals, context)
            process.engine.stop()
        } catch {
            Issue.record("\(point): \(error)")
        }
        #expect(disk.openFiles.isEmpty, context)
    }

    @Test func aFaultAnywhereInAnEngine() throws {
        let (results, totals) = try Self.reference.get()
        #expect(!results.contains { $0 == nil } && !totals.contains { $0 == nil })
        let points = try Anomalies(of: "an engine", on: Self.disk).run(Self.run, check: Self.check)
        #expect(points > 1_000)
    }

    /// The process before was killed with steps that only the journal has.
    @Test func aFaultAnywhereInTheRecoveryOfAnEngine() throws {
        let base = SimulatedDisk(directories: ["/journal", "/shards"])
        let process = try Process(base)
        var taken: [StepResult?] = []
        for step in Self.steps.prefix(4) { taken.append(process.take(step)) }
        base.losePower(.all)
        process.engine.stop()
        #expect(!taken.contains { $0 == nil })
        let points = try Anomalies(of: "recovery of an engine", on: base).run { disk in
            let results = Self.run(disk)
            for index in taken.indices where index < results.count {
                if let result = results[index] { #expect(result.replayed && result.outcome == taken[index]?.outcome) }
            }
            return taken
        } check: {
            try Self.check($0, $1, $2)
        }
        #expect(points > 1_000)
    }
}

import SimulatedDisk
import Storage
import Testing

/// The n-th call of the journal fails, for every n.
@Suite struct JournalFaultTests {
    /// What a process was promised: what was acknowledged, and the batches that were refused since.
    struct Outcome {
        var acknowledged: [Replayed] = []
        var refused: [[Replayed]] = []
        var trimmed: UInt64 = 0
    }

    static func open(_ disk: SimulatedDisk) throws -> LocalJournal {
        try LocalJournal(
            directory: "/j", fileSystem: disk, segmentBytes: 300, spares: .byHand, randomSalt: { 99 })
    }

    static func named(_ error: any Error) {
        #expect((error as? StorageError)?.isCorruption == false, "a fault is not taken for damage: \(error)")
        #expect("\(error)".contains("/j"), "it names no file: \(error)")
    }

    /// Appends batches, trims in between, and goes on after failures as the engine does.
    static func process(
        _ disk: SimulatedDisk, batches: Range<Int> = 0..<8, after before: Outcome = Outcome()
    ) -> Outcome {
        var outcome = before
        var journal: LocalJournal?
        for _ in 0..<2 where journal == nil {
            do {
                journal = try open(disk)
            } catch {
                named(error)
            }
        }
        guard let journal else { return outcome }
        defer { journal.close() }
        for number in batches {
            let contents = JournalTests.batch(number, records: number % 3 + 1, bytes: (20 + number * 5) % 65)
            do {
                outcome.acknowledged += try journal.append(contents)
                outcome.refused = []
            } catch {
                named(error)
                outcome.refused.append(
                    contents.enumerated().map { index, record in
                        Replayed(
                            position: journal.durablePosition + 1 + UInt64(index),
                            tenant: record.tenant.description, record: record.record)
                    })
            }
            _ = journal.prepareSpare()
            if number == batches.upperBound - 3 {
                outcome.trimmed = 4
                try? journal.trim(through: 4)
            }
            // A journal that cannot be read says so, and never that it is empty.
            if number % 3 == 0, let found = try? journal.records() {
                let isRight = found == outcome.acknowledged.filter { $0.position >= journal.firstPosition }
                #expect(isRight)
            }
        }
        return outcome
    }

    static func check(_ disk: SimulatedDisk, _ outcome: Outcome, _ point: Anomalies.Point) {
        let context: Comment = "\(point)"
        #expect(point.leaks.isEmpty, context)
        do {
            let journal = try open(disk)
            let found = try journal.records()
            #expect(journal.firstPosition <= outcome.trimmed + 1, context)
            let expected = outcome.acknowledged.filter { $0.position >= journal.firstPosition }
            // Only where the disk took no write at all any more may a batch be there, whole, though it was refused.
            let isKept = !point.kind.isOnce && outcome.refused.contains { found == expected + $0 }
            let isRight = found == expected || isKept
            #expect(isRight, context)
            let next = try journal.append(JournalTests.batch(77))
            journal.close()
            let again = try open(disk)
            let goesOn = try again.records() == found + next
            #expect(goesOn, context)
            again.close()
        } catch {
            Issue.record("\(point): \(error)")
        }
        #expect(disk.openFiles.isEmpty, context)
    }

    static func cover(
        _ name: String, on base: SimulatedDisk, after before: Outcome = Outcome(), batches: Range<Int>
    ) {
        for seed in propertySeeds(0..<2) {
            let points = Anomalies(of: "\(name), seed \(seed)", on: base, seed: seed).run {
                process($0, batches: batches, after: before)
            } check: {
                check($0, $1, $2)
            }
            #expect(points > 300)
        }
    }

    @Test func aFaultAnywhereLosesNothingAcknowledgedAndKeepsNothingRefused() {
        Self.cover("a new journal", on: SimulatedDisk(directories: ["/j"]), batches: 0..<8)
    }

    /// A process was killed in the middle of an append to the second segment.
    @Test func aFaultAnywhereInARecoveryLosesNothing() throws {
        let base = SimulatedDisk(directories: ["/j"])
        let first = Self.process(base, batches: 0..<6)
        let journal = try Self.open(base)
        base.crash(atCall: 2)
        #expect(throws: StorageError.self) { try journal.append(JournalTests.batch(50, records: 2, bytes: 40)) }
        base.losePower(.all)
        journal.close()
        Self.cover("a journal after a crash", on: base, after: first, batches: 6..<9)
    }

    /// The process ends, the machine goes on: the next one reads from the kernel's memory what may not be on the disk.
    @Test func whatARestartFoundSurvivesAPowerCutThoughItsSyncHadFailed() {
        let kinds: [Anomalies.Kind] = [.failsForGood, .isKilled]
        let points = Anomalies(
            of: "a journal's restart", on: SimulatedDisk(directories: ["/j"]), kinds: kinds
        ).run {
            Self.process($0)
        } check: { disk, _, point in
            do {
                let journal = try Self.open(disk)
                let found = try journal.records()
                disk.losePower(.all)
                journal.close()
                #expect(try Self.open(disk).records() == found, "\(point)")
            } catch {
                Issue.record("\(point): \(error)")
            }
        }
        #expect(points > 60)
    }
}

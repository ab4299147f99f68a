import Glibc
import SimulatedDisk
import Storage
import Testing

/// Every system call of the journal fails once, or for good, at every place, and the power goes after it.
@Suite struct JournalFaultTests {
    /// What one run did: what was acknowledged, and what was refused last.
    struct Outcome {
        var acknowledged: [Replayed] = []
        var refused: [Replayed] = []
        /// The fault that was planned had its chance.
        var wasFaultDue = false
    }

    static func open(_ disk: SimulatedDisk) throws -> LocalJournal {
        try LocalJournal(
            directory: "/j", fileSystem: disk, segmentBytes: 300, spares: .never, randomSalt: { 99 })
    }

    /// Appends ten batches, trims in between, and goes on after failures as the engine does.
    static func run(on disk: SimulatedDisk, retries: Bool) throws -> Outcome {
        var outcome = Outcome()
        var journal: LocalJournal?
        for _ in 0..<3 where journal == nil { journal = try? open(disk) }
        guard let journal else {
            outcome.wasFaultDue = disk.isPlanOver
            return outcome
        }
        for number in 0..<11 {
            let contents = JournalTests.batch(number, records: number % 3 + 1, bytes: (20 + number * 5) % 65)
            do {
                outcome.acknowledged += try journal.append(contents)
            } catch {
                outcome.refused = contents.enumerated().map { index, record in
                    Replayed(
                        position: journal.durablePosition + 1 + UInt64(index), tenant: record.tenant.description,
                        record: record.record)
                }
                if !retries { break }
            }
            if number == 6 { try? journal.trim(through: 4) }
            // A journal that cannot be read says so, and never that it is empty.
            if let found = try? journal.records() {
                #expect(found == outcome.acknowledged.filter { $0.position >= journal.firstPosition })
            }
        }
        outcome.wasFaultDue = disk.isPlanOver
        return outcome
    }

    /// A run that is over before much could fail proves nothing.
    static func checkLength(_ calls: Int) {
        #expect(calls > 60)
    }

    static func check(_ disk: SimulatedDisk, _ outcome: Outcome, mayKeepRefused: Bool, _ context: Comment) throws {
        let journal = try open(disk)
        let found = try journal.records()
        let expected = outcome.acknowledged.filter { $0.position >= journal.firstPosition }
        let withRefused = expected + outcome.refused
        #expect(found == expected || (mayKeepRefused && found == withRefused), context)
        let next = try journal.append(JournalTests.batch(77))
        #expect(try open(disk).records() == found + next, context)
    }

    /// - Parameter loss: what a power cut takes; nil for the end of the process alone.
    @Test(arguments: [EIO, ENOSPC], [nil] + SimulatedDisk.Loss.allCases)
    func oneFailureAnywhereLosesNothingAcknowledgedAndKeepsNothingRefused(
        errno: Int32, loss: SimulatedDisk.Loss?
    ) throws {
        for call in 1... {
            let disk = SimulatedDisk(directories: ["/j"])
            disk.fail(atCall: call, .once(errno: errno))
            let outcome = try Self.run(on: disk, retries: true)
            if !outcome.wasFaultDue { return Self.checkLength(call) }
            if let loss { disk.losePower(loss) }
            try Self.check(disk, outcome, mayKeepRefused: false, "call \(call)")
        }
    }

    @Test(arguments: SimulatedDisk.Loss.allCases)
    func aPowerCutAnywhereLosesNothingAcknowledgedAndLeavesNoHalf(loss: SimulatedDisk.Loss) throws {
        for seed in propertySeeds(0..<3) {
            for call in 1... {
                let disk = SimulatedDisk(seed: seed &+ UInt64(call), directories: ["/j"])
                disk.fail(atCall: call, .forGood(errno: EIO))
                let outcome = try Self.run(on: disk, retries: false)
                if !outcome.wasFaultDue {
                    Self.checkLength(call)
                    break
                }
                disk.losePower(loss)
                try Self.check(disk, outcome, mayKeepRefused: true, "call \(call), TOLLGATE_SEED=\(seed)")
            }
        }
    }

    @Test func whatARestartFoundSurvivesAPowerCutThoughItsSyncHadFailed() throws {
        for call in 1... {
            let disk = SimulatedDisk(directories: ["/j"])
            disk.fail(atCall: call, .forGood(errno: EIO))
            let outcome = try Self.run(on: disk, retries: false)
            if !outcome.wasFaultDue { return Self.checkLength(call) }
            // The process ends, the machine goes on: the next one reads from the kernel's memory what may not be on the disk.
            disk.endProcess()
            let found = try Self.open(disk).records()
            disk.losePower(.all)
            #expect(try Self.open(disk).records() == found, "call \(call)")
        }
    }
}

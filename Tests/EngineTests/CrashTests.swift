import Engine
import Foundation
import Ledger
import SeededRandom
import Storage
import Synchronization
import Testing

@Suite struct CrashTests {
    private static let stepCount = 2_000

    /// A process does steps on many tenants and kills itself at a random moment; the next one goes on in its directory.
    @Test func whatWasAcknowledgedBeforeAKillIsThereOnceAfterIt() async throws {
        let seed = UInt64.random(in: 0...UInt64(Int64.max))
        let directory = try TemporaryDirectory()
        let path = directory.path
        var acknowledged: [Int: [Int: String]] = [:]
        for round in 0..<5 {
            await #expect(processExitsWith: .signal(SIGKILL), "seed \(seed)") {
                [path = path as String, seed = seed as UInt64, round = round as Int] in
                try Victim(path: path, seed: seed, round: round).run()
            }
            acknowledged[round] = try Victim.acknowledged(path: path, round: round)
            #expect(acknowledged[round]!.isEmpty == false, "seed \(seed)")

            let harness = try crowded(directory)
            for (past, answers) in acknowledged {
                let steps = RandomSteps(seed: seed, round: past, count: Self.stepCount).steps
                let asked = answers.map { ($0, $1, harness.begin(steps[$0].command, steps[$0].tenant)) }
                for (number, answer, outcome) in asked {
                    let result = try #require(outcome.wait()).get()
                    let message: Comment = "seed \(seed), round \(past), step \(number)"
                    #expect(result.replayed, message)
                    #expect(digest(result.outcome) == answer, message)
                }
            }
            // A caller that got no answer sends its step again.
            let again = RandomSteps(seed: seed, round: round, count: Self.stepCount).steps
            for outcome in again.map({ harness.begin($0.command, $0.tenant) }) {
                _ = try #require(outcome.wait()).get()
            }
            for number in 0..<RandomSteps.tenantCount { try harness.verify(tenant(number)) }
            harness.engine.stop()
        }
    }

    fileprivate static func crowd(_ configuration: inout EngineConfiguration) {
        configuration.partitions = 2
        configuration.tickMs = 5
        configuration.limits.maxResidentTenants = 4
        configuration.limits.rememberedSteps = 10
        configuration.limits.flushIntervalMs = 3
        configuration.limits.trimBytes = 64 << 10
    }

    private func crowded(_ directory: TemporaryDirectory) throws -> Harness {
        try Harness(directory, segmentBytes: 32 << 10, CrashTests.crowd)
    }

    /// The process that dies.
    private struct Victim {
        let path: String
        let seed: UInt64
        let round: Int

        static func log(_ path: String, _ round: Int) -> String { path + "/acknowledged-\(round)" }

        /// Step number and digest of its answer, of every line that was written whole.
        static func acknowledged(path: String, round: Int) throws -> [Int: String] {
            let text = try String(contentsOfFile: log(path, round), encoding: .utf8)
            let lines = text.prefix(through: text.lastIndex(of: "\n") ?? text.startIndex).split(separator: "\n")
            let pairs = lines.map { $0.split(separator: " ") }
            return Dictionary(uniqueKeysWithValues: pairs.map { (Int($0[0])!, String($0[1])) })
        }

        func run() throws {
            let harness = try Harness(TemporaryDirectory(of: path), segmentBytes: 32 << 10, CrashTests.crowd)
            let steps = RandomSteps(seed: seed, round: round, count: CrashTests.stepCount).steps
            var random = SeededRandom(seed: seed ^ UInt64(round))
            let left = Atomic(Int.random(in: 20..<CrashTests.stepCount * 3 / 4, using: &random))
            let log = open(Self.log(path, round), O_WRONLY | O_CREAT | O_APPEND, 0o600)
            for (number, step) in steps.enumerated() {
                harness.engine.submit(step.command, tenant: step.tenant) { result in
                    if case .success(let answer) = result, answer.isForEver {
                        let line = "\(number) \(digest(answer.outcome))\n"
                        _ = line.withCString { write(log, $0, strlen($0)) }
                    }
                    if left.subtract(1, ordering: .relaxed).newValue == 0 { kill(getpid(), SIGKILL) }
                }
                // Not all at once, so that flushes, trims and evictions are among them.
                if number % 20 == 0 { usleep(500) }
            }
            while true { pause() }
        }
    }
}

extension StepResult {
    /// A success or a refusal that is remembered: whoever asks again gets the same.
    fileprivate var isForEver: Bool {
        switch outcome {
        case .success: true
        case .failure(let refusal): refusal.isRemembered
        }
    }
}

/// FNV-1a of all that the answer says, the same in every process.
private func digest(_ outcome: Result<StepAnswer, Refusal>) -> String {
    String(
        "\(outcome)".utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }, radix: 16)
}

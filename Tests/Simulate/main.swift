import Foundation
import Simulation

/// Runs seeds of the simulation, one after the other.
///
///     simulate --seeds 1-40 --steps 10000      those, until one fails
///     simulate --seed 17 --verbose             one, telling what happens
///     … --trace tenant-3                       and each call of the disk about such a file
struct Arguments {
    var seeds: ClosedRange<UInt64> = 1...20
    var steps = 10_000
    var isVerbose = false
    var keepsGoing = false
    var tracedPath: String?

    init(_ arguments: [String]) throws {
        var rest = arguments.dropFirst()
        while let name = rest.popFirst() {
            switch name {
            case "--verbose": isVerbose = true
            case "--keep-going": keepsGoing = true
            case "--trace": tracedPath = rest.popFirst()
            case "--seed":
                guard let seed = rest.popFirst().flatMap({ UInt64($0) }) else { throw Usage() }
                seeds = seed...seed
            case "--seeds":
                let ends = (rest.popFirst() ?? "").split(separator: "-").compactMap { UInt64($0) }
                guard ends.count == 2, ends[0] <= ends[1] else { throw Usage() }
                seeds = ends[0]...ends[1]
            case "--steps":
                guard let count = rest.popFirst().flatMap({ Int($0) }), count > 0 else { throw Usage() }
                steps = count
            default: throw Usage()
            }
        }
    }

    struct Usage: Error {}
}

@Sendable func say(_ text: String, terminator: String = "\n") {
    print(text, terminator: terminator)
    fflush(nil)
}

/// The same seed must be the same run in another process too: hashes are not to differ from one to the next.
func becomeRepeatable() {
    let name = "SWIFT_DETERMINISTIC_HASHING"
    if getenv(name) != nil { return }
    setenv(name, "1", 1)
    var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
    execv("/proc/self/exe", &arguments)
    fatalError("simulate cannot start itself again: errno \(errno)")
}

/// The commit that this was built from, for who reads of a failure later.
func commit() -> String {
    let git = Process()
    let output = Pipe()
    git.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    git.arguments = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    git.standardOutput = output
    git.standardError = FileHandle.nullDevice
    guard (try? git.run()) != nil else { return "unknown" }
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    git.waitUntilExit()
    return text.isEmpty ? "unknown" : text.trimmingCharacters(in: .whitespacesAndNewlines)
}

func run(_ arguments: Arguments) -> Bool {
    var counts: [String: Int] = [:]
    var steps = 0
    var seeds = 0
    var failures = 0
    let start = Date()
    say("simulation at commit \(commit())")
    let hear: (@Sendable (String) -> Void)? = arguments.isVerbose ? { @Sendable text in say(text) } : nil
    for seed in arguments.seeds {
        do throws(SimulationFailure) {
            let began = Date()
            // Before it begins: where the product stops itself nobody can say it afterwards.
            say("seed \(seed): ", terminator: hear == nil ? "" : "\n")
            let report = try SimulationReport.run(
                seed: seed, steps: arguments.steps, trace: hear, tracedPath: arguments.tracedPath)
            seeds += 1
            steps += report.steps
            counts.merge(report.counts) { $0 + $1 }
            say(
                "\(report.steps) steps, \(report.lives) lives, digest \(String(report.digest, radix: 16)), "
                    + String(format: "%.1f s", Date().timeIntervalSince(began)))
        } catch {
            say("FAILED at commit \(commit()): \(error)")
            say("again: simulate --seed \(seed) --steps \(arguments.steps) --verbose")
            failures += 1
            if !arguments.keepsGoing { break }
        }
    }
    for (what, number) in counts.sorted(by: { $0.key < $1.key }) { say("  \(what): \(number)") }
    let seconds = max(0.001, Date().timeIntervalSince(start))
    say(
        "covered: simulation: \(seeds) seeds, \(steps) steps (\(Int(Double(steps) / seconds)) a second), "
            + "\(counts["crashes"] ?? 0) crashes, \(counts["crashes at start"] ?? 0) crashes at start, "
            + "\((counts["EIO"] ?? 0) + (counts["ENOSPC"] ?? 0)) disk errors, \(counts["replayed"] ?? 0) replayed answers, "
            + "\(counts["proofs"] ?? 0) books proved, \(failures) failures")
    return failures == 0
}

becomeRepeatable()
do {
    exit(run(try Arguments(CommandLine.arguments)) ? 0 : 1)
} catch {
    say("simulate [--seed N | --seeds A-B] [--steps N] [--verbose] [--trace PATH] [--keep-going]")
    exit(64)
}

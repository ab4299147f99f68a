import RPC
import Synchronization

/// `tollgate replay`: meters a real trace.
enum ReplayCommand {
    private static let trace = PositionalSpec(
        name: "TRACE.csv", help: "calls with the columns TIMESTAMP, ContextTokens and GeneratedTokens")
    private static let feature = OptionSpec.value("--feature", "NAME", "the feature that is metered", fallback: "chat")
    private static let contextUnit = OptionSpec.value(
        "--context-unit", "UNIT", "the rate card's unit for ContextTokens", fallback: "context_tokens")
    private static let generatedUnit = OptionSpec.value(
        "--generated-unit", "UNIT", "the rate card's unit for GeneratedTokens", fallback: "generated_tokens")
    private static let maxGenerated = OptionSpec.value(
        "--max-generated", "N", "generated tokens that each call reserves for", fallback: "2000")
    private static let concurrency = OptionSpec.value("--concurrency", "N", "calls in flight at once", fallback: "64")
    private static let pace = OptionSpec.value(
        "--pace", "X", "1 for the trace's own pace, 2 for twice as fast; else as fast as it can")
    private static let limit = OptionSpec.value("--limit", "N", "only the first N rows")
    private static let run = OptionSpec.value(
        "--run", "NAME", "names the run: the same trace under the same name sends the same ids", fallback: "replay")
    private static let retrySeconds = OptionSpec.value(
        "--retry-seconds", "N", "how long a step without an answer is sent again", fallback: "30")

    static let replay = Subcommand(
        path: ["replay"], summary: "Meters the calls of a trace: a reserve and a commit for each.",
        details: """
            Each row reserves for its context and a maximum of generated tokens, then commits what was
            generated. The ids of the steps are made of the rows, so that a replay that was interrupted can
            be run again from the start and charges nothing twice.
            """,
        positionals: [trace],
        options: [
            concurrency, pace, limit, run, feature, contextUnit, generatedUnit, maxGenerated, retrySeconds,
        ] + ServerConnection.tenantOptions,
        work: .calls { (arguments, console) async throws(CommandError) in
            let plan = try plan(arguments)
            let names = try names(arguments)
            let connection = try ServerConnection(arguments, forTenant: true)
            let report = await run(plan, caller: MeteringCaller(connection.channel, names: names), console: console)
            if arguments.has(ServerConnection.json) {
                try console.line(report.json.text)
            } else {
                try console.write(report.text())
            }
            if let reason = report.stopped {
                throw .failed(
                    "stopped after \(grouped(report.meteredRows)) of \(grouped(report.rows)) calls: \(reason)")
            }
            for line in report.failureLines { console.message("tollgate: \(line)") }
            if !report.isComplete { throw .reported }
        })

    /// Runs a replay, with a progress bar where somebody looks at a terminal.
    static func run(_ plan: ReplayPlan, caller: any ReplayCaller, console: Console) async -> ReplayReport {
        let replay = Replay(plan, caller: caller)
        guard console.showsProgress else { return await replay.run { _ in } }
        let paintedNs = Atomic<Int64>(0)
        let report = await replay.run { progress in
            // Ten times a second is smooth enough, and costs a slow terminal nothing.
            guard progress.elapsedNs - paintedNs.load(ordering: .relaxed) > 100_000_000 else { return }
            paintedNs.store(progress.elapsedNs, ordering: .relaxed)
            console.progress(
                ProgressBar.clear
                    + ProgressBar.line(
                        done: progress.doneRows, of: progress.rows, elapsedNs: progress.elapsedNs,
                        steps: progress.steps))
        }
        console.progress(ProgressBar.clear)
        return report
    }

    private static func plan(_ arguments: ParsedArguments) throws(CommandError) -> ReplayPlan {
        let path = arguments.positionals[0]
        let rowLimit = try arguments.integer(limit, in: 1...Limits.traceRows)
        let seconds = try arguments.integer(retrySeconds, in: 0...Limits.retrySeconds) ?? 0
        let inFlight = try arguments.integer(concurrency, in: 1...Limits.replayConcurrency) ?? 1
        let speed = try speed(arguments)
        let rows: [TraceRow]
        do throws(TraceError) {
            rows = try TraceReader.rows(ofFile: path, rowLimit: rowLimit)
        } catch {
            throw .failed(error.text(path: path))
        }
        let retryNs = Int64(seconds) * 1_000_000_000
        return ReplayPlan(
            rows: rows, identity: TraceIdentity(run: arguments.value(run) ?? ""), concurrency: inFlight, pace: speed,
            retryNs: retryNs, silenceNs: retryNs + Int64(Limits.callSeconds) * 1_000_000_000)
    }

    private static func speed(_ arguments: ParsedArguments) throws(CommandError) -> Double? {
        guard let text = arguments.value(pace) else { return nil }
        guard let speed = Double(text), (0.001...1_000_000).contains(speed) else {
            throw arguments.wrong("--pace \(quoted(text)) must be a number from 0.001 to 1000000, such as 1")
        }
        return speed
    }

    private static func names(_ arguments: ParsedArguments) throws(CommandError) -> MeteringCaller.Names {
        let generated = try arguments.integer(maxGenerated, in: 0...Int(Limits.traceTokens)) ?? 0
        return MeteringCaller.Names(
            feature: arguments.value(feature) ?? "", contextUnit: arguments.value(contextUnit) ?? "",
            generatedUnit: arguments.value(generatedUnit) ?? "", maxGenerated: Int64(generated))
    }
}

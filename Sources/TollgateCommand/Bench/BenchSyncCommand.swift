import Glibc
import LoadGenerator

/// `tollgate bench sync`: what a disk takes to make a batch of the journal durable.
enum BenchSyncCommand {
    private static let directory = PositionalSpec(
        name: "DIR", help: "a directory on the disk; 64 MiB are taken there and given back")
    private static let seconds = OptionSpec.value("--seconds", "S", "how long is measured", fallback: "5")
    private static let bytes = OptionSpec.value("--bytes", "N", "bytes of one write", fallback: "4096")

    static let sync = Subcommand(
        path: ["bench", "sync"], summary: "Measures how long the disk takes to make a write durable.",
        details: "Overwrites a file in place and calls fdatasync after each write, the least that is durable.",
        positionals: [directory], options: [seconds, bytes, BenchOptions.json],
        work: .blocking { (arguments, console) throws(CommandError) in
            let byteCount = try arguments.integer(bytes, in: LoadLimits.syncBytes) ?? 0
            let duration = try arguments.integer(seconds, in: LoadLimits.syncSeconds) ?? 0
            let path = arguments.positionals[0]
            let report: SyncProbe.Report
            do throws(SyncProbe.Failure) {
                report = try SyncProbe.run(directory: path, byteCount: byteCount, seconds: duration)
            } catch {
                throw .failed("\(error.call) fails in \(quoted(path)): \(String(cString: strerror(error.errno)))")
            }
            if arguments.has(BenchOptions.json) {
                try console.line(report.json.text)
            } else {
                try console.write(report.text)
            }
        })
}

extension SyncProbe.Report {
    fileprivate var json: JSONText {
        .object([
            ("bytes", .integer(Int64(byteCount))), ("seconds", .decimal(Double(measuredNs) / 1e9)),
            ("syncs", .integer(Int64(latencies.count))),
            ("syncs_per_second", .decimal(Double(latencies.count) * 1e9 / Double(measuredNs))),
            ("latency_us", latencies.json),
        ])
    }

    fileprivate var text: String {
        listing([
            ("write", "\(grouped(byteCount)) bytes in place, then fdatasync"),
            ("measured", durationText(ns: measuredNs)),
            ("syncs", grouped(latencies.count)), ("latency", latencies.text),
        ])
    }
}

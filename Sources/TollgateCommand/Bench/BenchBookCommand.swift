import Engine
import Glibc
import Locks
import Storage
import Tollgate

/// `tollgate bench book`: a data directory with books as long as one likes.
enum BenchBookCommand {
    private static let directory = PositionalSpec(name: "DIR", help: "the data directory that is made")
    private static let tenants = OptionSpec.value("--tenants", "T", "how many tenants", fallback: "10000")
    private static let entries = OptionSpec.value(
        "--entries", "N", "entries of all books together", fallback: "100000000")

    static let book = Subcommand(
        path: ["bench", "book"], summary: "Writes a data directory with long books, without a server.",
        details: """
            By the true ledger and shards; a server then serves it, and 'tollgate verify' proves it. Prints
            the root key on standard output. A hundred million entries take some 15 minutes and 15 GB.
            """,
        positionals: [directory], options: [tenants, entries, BenchOptions.json],
        work: .blocking { (arguments, console) throws(CommandError) in
            let count = try arguments.integer(tenants, in: Limits.bookTenants) ?? 1
            let total = try arguments.integer(entries, in: 1...Limits.bookEntries) ?? 1
            guard Limits.bookEntriesPerTenant.contains(total / count) else {
                throw arguments.wrong(
                    "--entries must give each tenant \(Limits.bookEntriesPerTenant.lowerBound) to "
                        + "\(grouped(Limits.bookEntriesPerTenant.upperBound))")
            }
            let path = arguments.positionals[0]
            let key: String
            do throws(StartupError) {
                key = try DataDirectoryInit.create(path: path)
            } catch {
                throw .failed(error.description)
            }
            let seconds: Double
            do throws(StorageError) {
                seconds = try write(path, tenants: count, entries: total, console)
            } catch {
                throw .failed("\(error.description); remove \(quoted(path)) and begin anew")
            }
            guard arguments.has(BenchOptions.json) else { return try console.line(key) }
            let report = JSONText.object([
                ("key", .string(key)), ("tenants", .integer(Int64(count))),
                ("entries", .integer(Int64(total / count * count))), ("seconds", .decimal(seconds)),
            ])
            try console.line(report.text)
        })

    /// Writes it, tells how it goes, and answers how many seconds it took.
    private static func write(
        _ path: String, tenants: Int, entries: Int, _ console: Console
    ) throws(StorageError) -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        let writer = try BookWriter(path: path, tenants: tenants, entries: entries)
        let progress = WriteProgress()
        try writer.write { progress.wrote(tenants: tenants, start, console) }
        return (clock.now - start) / .seconds(1)
    }
}

/// Says every few seconds how many books are written.
private final class WriteProgress: Sendable {
    private static let interval: Duration = .seconds(5)
    private let state = Protected((done: 0, told: ContinuousClock().now))

    func wrote(tenants: Int, _ start: ContinuousClock.Instant, _ console: Console) {
        let now = ContinuousClock().now
        let line: String? = state.withLock { state in
            state.done += 1
            guard state.done == tenants || now - state.told > Self.interval else { return nil }
            state.told = now
            let left = (now - start) / .seconds(1) * Double(tenants - state.done) / Double(state.done)
            return "\(grouped(state.done)) of \(grouped(tenants)) books, some \(grouped(Int(left))) s left"
        }
        if let line { console.message(line) }
    }
}

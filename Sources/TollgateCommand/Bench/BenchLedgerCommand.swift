/// `tollgate bench ledger`: whether a step costs the core the same in a book that has much in it.
enum BenchLedgerCommand {
    private static let grants = OptionSpec.value("--grants", "N", "grants of the large book", fallback: "10000")
    private static let holds = OptionSpec.value("--holds", "N", "open holds of the large book", fallback: "10000")
    private static let limits = OptionSpec.value("--limits", "N", "limits of the large book", fallback: "50")
    private static let rounds = OptionSpec.value("--rounds", "N", "rounds on each book, in turns", fallback: "15")

    static let ledger = Subcommand(
        path: ["bench", "ledger"], summary: "Measures what a step costs the core in a large book and in a new one.",
        details: "A reserve and its release, decided, evolved and encoded, without journal or network.",
        positionals: [], options: [grants, holds, limits, rounds, BenchOptions.json],
        work: .blocking { (arguments, console) throws(CommandError) in
            let size = LedgerProbe.Size(
                grants: try arguments.integer(grants, in: 1...1_000_000) ?? 0,
                holds: try arguments.integer(holds, in: 0...1_000_000) ?? 0,
                limits: try arguments.integer(limits, in: 0...1_000) ?? 0)
            let report = LedgerProbe.run(size, rounds: try arguments.integer(rounds, in: 1...1_000) ?? 0)
            if arguments.has(BenchOptions.json) {
                try console.line(report.json.text)
            } else {
                try console.write(report.text)
            }
        })
}

extension LedgerProbe.Report {
    fileprivate var json: JSONText {
        .object([
            ("grants", .integer(Int64(size.grants))), ("holds", .integer(Int64(size.holds))),
            ("limits", .integer(Int64(size.limits))), ("fresh_ns", .decimal(Self.median(fresh))),
            ("large_ns", .decimal(Self.median(large))), ("ratio", .decimal(ratio)),
        ])
    }

    fileprivate var text: String {
        listing([
            (
                "large book",
                "\(grouped(size.grants)) grants, \(grouped(size.holds)) holds, \(grouped(size.limits)) limits"
            ),
            ("new book", "\(Int(Self.median(fresh))) ns for a reserve and its release"),
            ("large book", "\(Int(Self.median(large))) ns"),
            ("ratio", "\(Double(Int(ratio * 100 + 0.5)) / 100)"),
        ])
    }
}

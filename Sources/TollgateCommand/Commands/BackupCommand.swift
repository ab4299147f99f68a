import Engine
import Ledger
import Protobuf
import Storage
import Tollgate

/// `tollgate backup`: brings a copy of a data directory up to date, beside the server or without one.
enum BackupCommand {
    private static let target = OptionSpec.value("--to", "BACKUP", "where the backup is, or is made", isRequired: true)
    static let tenant = OptionSpec.value("--tenant", "TENANT", "only this tenant's book")
    private static let newGeneration = OptionSpec.toggle(
        "--new-generation", "begin a whole copy beside the one that is there, which is kept")

    static let backup = Subcommand(
        path: ["backup"], summary: "Copies what is new in every book into a backup; beside a server or without one.",
        details: """
            Every step that was answered before it began is in it. Each run costs what is new; one that was
            ended goes on where it was. What is copied is checked against the chain of hashes on the way;
            `tollgate verify --backup` proves all of it. Exits 1 where a book could not be copied to its end:
            the others are.

            A server that was restored to an earlier moment does not continue the copy: keep that, and go on
            with --new-generation or in another directory.
            """,
        options: [InitCommand.data, target, tenant, newGeneration, ServerConnection.json],
        work: .blocking { (arguments, console) throws(CommandError) in
            let data = try arguments.required(InitCommand.data)
            var run = BackupRun(dataPath: data, target: try arguments.required(target))
            run.only = try VerifyCommand.tenant(arguments)
            run.startsGeneration = arguments.has(newGeneration)
            run.progress = progress("books copied", console)
            VerifyCommand.becomeOwner(of: data)
            let report: BackupReport
            do throws(StorageError) {
                report = try run.run(at: SystemClock().now())
            } catch {
                endProgress(console)
                let next = error.isDiskFull ? "; the same command then goes on where it was" : ""
                throw .failed("the backup is not finished: \(error)\(next)")
            }
            endProgress(console)
            try console.write(arguments.has(ServerConnection.json) ? json(of: report).text + "\n" : text(of: report))
            for (tenant, error) in report.faults { console.message("tollgate: tenant \(tenant): \(error)") }
            if !report.faults.isEmpty { throw .reported }
        })

    private static func text(of report: BackupReport) -> String {
        let books = report.tenants == 1 ? "1 tenant" : "\(grouped(report.tenants)) tenants"
        return
            "\(books) looked at, \(grouped(report.changed)) with something new: \(grouped(report.newEntries)) entries, "
            + "\(grouped(UInt64(max(0, report.newBytes)))) bytes\n"
            + "the backup has \(grouped(report.entries)) entries as of \(momentText(report.moment)) "
            + "(generation \(report.generation))\n"
    }

    private static func json(of report: BackupReport) -> JSONText {
        .object([
            ("ok", .bool(report.faults.isEmpty)), ("moment", .string(momentText(report.moment))),
            ("generation", .integer(Int64(report.generation))), ("tenants", .integer(Int64(report.tenants))),
            ("changed", .integer(Int64(report.changed))), ("entries", .integer(Int64(report.entries))),
            ("newEntries", .integer(Int64(report.newEntries))), ("newBytes", .integer(report.newBytes)),
            (
                "faults",
                .array(
                    report.faults.map { fault in
                        .object([
                            ("tenant", .string(fault.tenant.description)), ("fault", .string("\(fault.error)")),
                        ])
                    })
            ),
        ])
    }

    /// Paints how far it is, where somebody looks.
    static func progress(_ what: String, _ console: Console) -> (CopyProgress) -> Void {
        guard console.showsProgress else { return { _ in } }
        return { progress in
            guard progress.done % 100 == 0 || progress.done + 1 == progress.of else { return }
            console.progress("\(ProgressBar.clear)\(grouped(progress.done)) of \(grouped(progress.of)) \(what)")
        }
    }

    static func endProgress(_ console: Console) {
        if console.showsProgress { console.progress(ProgressBar.clear) }
    }
}

/// A moment as other commands take it.
func momentText(_ instant: Instant) -> String {
    let (seconds, rest) = instant.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
    let isBefore = rest < 0
    return timeText(
        Timestamp(seconds: isBefore ? seconds - 1 : seconds, nanos: Int32(isBefore ? rest + 1_000_000 : rest) * 1_000))
}

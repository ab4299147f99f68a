import Ledger
import Storage
import Tollgate

/// `tollgate restore`: a new data directory of a backup, or one tenant's damaged book in the directory that it belongs to.
enum RestoreCommand {
    private static let source = OptionSpec.value("--from", "BACKUP", "the backup")
    private static let target = OptionSpec.value(
        "--to", "NEWDIR", "the data directory to make")
    private static let data = OptionSpec.value(
        "--data", "DIR", "with --tenant: where its book is damaged or gone")
    private static let until = OptionSpec.value(
        "--until", "TIME", "as it was at this moment, such as 2026-11-20T10:00:00Z")
    private static let empty = OptionSpec.toggle(
        "--empty", "with --tenant and --data: nothing is left of its book, and it begins anew")
    static let generation = OptionSpec.value("--generation", "N", "an older copy than the newest")

    static let restore = Subcommand(
        path: ["restore"], summary: "Makes a data directory of a backup, or heals one tenant's damaged book.",
        details: """
            With --to: every book, or that of --tenant, is made anew and proven before it says done; --until
            takes what was entered up to a moment, never half of a step or of a cycle. Keys, members and
            catalogs are as of the backup: what was revoked since the moment stays revoked, what was made
            since stays, but for tenants that were made later and their keys.

            With --tenant and --data: a book that the server set aside as damaged is made of the backup, of
            what can still be read of it, and of the journal; each entry is proven by the chain of hashes.
            A server that runs goes on and takes the book at its next call. What nothing covers is named.

            With --empty, and no server: a tenant that `tollgate repair manifest` found without any trace of
            a book begins anew. Only who knows that it never had credits should say so.
            """,
        options: [source, target, data, BackupCommand.tenant, until, generation, empty, ServerConnection.json],
        work: .blocking { (arguments, console) throws(CommandError) in
            let tenant = try VerifyCommand.tenant(arguments)
            switch (arguments.value(target), arguments.value(data)) {
            case (let target?, nil):
                if arguments.has(empty) { throw arguments.wrong("--empty goes with --data") }
                try restore(to: target, only: tenant, arguments, console)
            case (nil, let data?):
                guard let tenant else { throw arguments.wrong("--data wants --tenant: one book is healed at a time") }
                if arguments.has(empty) { return try beginAnew(tenant, in: data, arguments, console) }
                try heal(tenant, in: data, arguments, console)
            default:
                throw arguments.wrong(
                    "give --to NEWDIR for a new data directory, or --tenant and --data to heal a book")
            }
        })

    private static func restore(
        to target: String, only tenant: TenantID?, _ arguments: ParsedArguments, _ console: Console
    ) throws(CommandError) {
        var run = RestoreRun(source: try arguments.required(source), target: target)
        run.only = tenant
        run.generation = try arguments.integer(generation, in: 1...Int(Int32.max))
        run.progress = BackupCommand.progress("books made", console)
        if let text = arguments.value(until) {
            guard let microseconds = TimeText.microseconds(text, requiresZone: true) else {
                throw arguments.wrong("--until \(quoted(text)) is no time such as 2026-11-20T10:00:00Z")
            }
            run.until = Instant(microseconds: microseconds)
        }
        let report: RestoreReport
        do throws(StorageError) {
            report = try run.run()
        } catch {
            BackupCommand.endProgress(console)
            throw .failed("nothing is restored: \(error)")
        }
        BackupCommand.endProgress(console)
        if arguments.has(ServerConnection.json) {
            return try console.line(
                JSONText.object([
                    ("ok", .bool(true)), ("backupMoment", .string(momentText(report.moment))),
                    ("generation", .integer(Int64(report.generation))), ("tenants", .integer(Int64(report.tenants))),
                    ("books", .integer(Int64(report.books))), ("entries", .integer(Int64(report.entries))),
                ]).text)
        }
        try console.line(
            "\(grouped(report.tenants)) tenants restored: \(grouped(report.books)) books of \(grouped(report.entries)) "
                + "entries, each proven; the backup is of \(momentText(report.moment))")
        console.message("start it with `tollgate serve --data \(target)`")
    }

    private static func beginAnew(
        _ tenant: TenantID, in data: String, _ arguments: ParsedArguments, _ console: Console
    ) throws(CommandError) {
        for option in [source, until, generation] where arguments.value(option) != nil {
            throw arguments.wrong("\(option.name) has no meaning beside --empty")
        }
        VerifyCommand.becomeOwner(of: data)
        do throws(StorageError) {
            try EmptyBook(dataPath: data, tenant: tenant).begin()
        } catch {
            throw .failed("\(error)")
        }
        if arguments.has(ServerConnection.json) {
            return try console.line(
                JSONText.object([("ok", .bool(true)), ("tenant", .string(tenant.description))]).text)
        }
        try console.line("tenant \(tenant) begins anew, with an empty book")
    }

    private static func heal(
        _ tenant: TenantID, in data: String, _ arguments: ParsedArguments, _ console: Console
    ) throws(CommandError) {
        guard arguments.value(until) == nil else {
            throw arguments.wrong("--until goes with --to: a book that is healed goes on where it was")
        }
        var run = HealRun(dataPath: data, tenant: tenant, source: arguments.value(source))
        run.generation = try arguments.integer(generation, in: 1...Int(Int32.max))
        VerifyCommand.becomeOwner(of: data)
        let report: HealReport
        do throws(StorageError) {
            report = try run.run()
        } catch {
            throw .failed("\(error)")
        }
        if arguments.has(ServerConnection.json) {
            return try console.line(
                JSONText.object([
                    ("ok", .bool(true)), ("tenant", .string(tenant.description)),
                    ("entries", .integer(Int64(report.entries))), ("fromBackup", .integer(Int64(report.fromBackup))),
                    ("fromFile", .integer(Int64(report.fromFile))),
                    ("fromJournal", .integer(Int64(report.fromJournal))), ("inPlace", .bool(report.isAdopted)),
                ]).text)
        }
        try console.line(
            "the book of tenant \(tenant) is whole again: \(grouped(report.entries)) entries, "
                + "\(grouped(report.fromBackup)) of the backup, \(grouped(report.fromFile)) of the file that was set aside, "
                + "\(grouped(report.fromJournal)) of the journal; "
                + (report.isAdopted ? "it is in its place" : "the server takes it at its next call"))
    }
}

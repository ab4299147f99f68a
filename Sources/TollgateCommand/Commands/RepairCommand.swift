import Storage

/// `tollgate repair manifest`: the way out where a server refuses to start because of the shards' manifest.
enum RepairCommand {
    static let manifest = Subcommand(
        path: ["repair", "manifest"], summary: "Makes a damaged or missing manifest of the shards anew.",
        details: """
            For a server that refuses to start because of shards/manifest.sqlite; no server may run. Every
            book is proven, as by `tollgate verify`, and listed with what it holds durably. The damaged file
            is kept beside the new one; where the manifest is sound nothing is changed.

            The manifest alone knew whether a book is missing or older than it was. What journal, directory
            and files that were set aside show of that is named: such a tenant is refused, and never begins
            anew, until `tollgate restore --tenant T --from BACKUP --data DIR` heals its book. Then it exits
            1. What none of them shows, only a backup knows: `tollgate backup` onto it refuses a book that
            ends before its copy.
            """,
        options: [InitCommand.data, ServerConnection.json],
        work: .blocking { (arguments, console) throws(CommandError) in
            let data = try arguments.required(InitCommand.data)
            var run = ManifestRepair(dataPath: data)
            run.progress = BackupCommand.progress("books proved", console)
            VerifyCommand.becomeOwner(of: data)
            let report: ManifestRepairReport
            do throws(StorageError) {
                report = try run.run()
            } catch {
                BackupCommand.endProgress(console)
                throw .failed("the manifest is not repaired: \(error)")
            }
            BackupCommand.endProgress(console)
            try console.write(arguments.has(ServerConnection.json) ? json(of: report).text + "\n" : text(of: report))
            for book in report.lost { console.message("tollgate: tenant \(book.tenant) is refused: \(sentence(book))") }
            for tenant in report.strangers {
                console.message("the directory has no tenant \(tenant): was its book copied here?")
            }
            if report.trimmedThrough > 0 {
                console.message(
                    "whether a book is older than it was, where nothing here shows it, only a backup knows: `tollgate backup` "
                        + "onto it refuses a book that ends before its copy")
            }
            if !report.lost.isEmpty { throw .reported }
        })

    private static func text(of report: ManifestRepairReport) -> String {
        guard let fault = report.fault else { return "the manifest is sound: nothing is changed\n" }
        let books = report.listed == 1 ? "1 book" : "\(grouped(report.listed)) books"
        return "what was wrong: \(fault)\n"
            + (report.setAside.map { "the damaged manifest is kept as \($0)\n" } ?? "")
            + "the manifest is made anew: \(books) proved and listed, "
            + "\(grouped(report.inJournal)) left to the journal, which has them whole; "
            + (report.lost.isEmpty ? "all is well\n" : "\(grouped(report.lost.count)) refused\n")
    }

    private static func sentence(_ book: ManifestRepairReport.LostBook) -> String {
        book.reason + (book.file.map { "; its file is kept as \($0)" } ?? "")
    }

    private static func json(of report: ManifestRepairReport) -> JSONText {
        .object([
            ("ok", .bool(report.lost.isEmpty)), ("changed", .bool(report.fault != nil)),
            ("fault", report.fault.map { .string($0) } ?? .null),
            ("setAside", report.setAside.map { .string($0) } ?? .null), ("listed", .integer(Int64(report.listed))),
            ("inJournal", .integer(Int64(report.inJournal))),
            ("trimmedThrough", .integer(Int64(report.trimmedThrough))),
            (
                "refused",
                .array(
                    report.lost.map { book in
                        .object([
                            ("tenant", .string(book.tenant.description)), ("reason", .string(book.reason)),
                            ("file", book.file.map { .string($0) } ?? .null),
                        ])
                    })
            ),
            ("withoutTenant", .array(report.strangers.map { .string($0.description) })),
        ])
    }
}

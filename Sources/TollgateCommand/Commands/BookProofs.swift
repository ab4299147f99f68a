import Ledger
import Storage

/// The proofs of all books of a data directory.
struct BookProofs {
    /// A book's verdict, or why it could not be had.
    struct Entry {
        var tenant: TenantID
        /// Nil where the tenant has no book yet.
        var verdict: Result<BookVerdict?, StorageError>
        /// Records in the journal that the book does not hold yet.
        var pending: UInt64 = 0
    }

    /// By tenant.
    private(set) var entries: [Entry] = []
    /// What is wrong beside the books; nil where nothing is.
    private var fault: String?
    /// Of a backup.
    private var moment: Instant?

    /// Proves the books of a directory, one after the other.
    static func prove(dataPath: String, only: TenantID? = nil) throws(CommandError) -> BookProofs {
        let layout = DataDirectory.Layout(path: dataPath)
        var proofs = BookProofs()
        do throws(StorageError) {
            // First, so that a directory that is none is refused before anything else is looked at.
            let known = try Directory.tenants(ofFile: layout.directory)
            let withBook = Set(try ShardStore(path: layout.shards, mayWrite: false).tenants())
            let listed = try ShardStore.listed(in: layout.shards)
            for tenant in withBook.union(known).sorted() where only == nil || only == tenant {
                proofs.entries.append(
                    withBook.contains(tenant)
                        ? Entry(
                            tenant: tenant, verdict: verdict(on: tenant, in: layout.shards, listed[tenant]?.position))
                        : Entry(tenant: tenant, verdict: .success(nil)))
            }
            try proofs.countPending(in: layout.journal)
        } catch {
            throw .failed("\(quoted(dataPath)) cannot be read as a data directory: \(error)")
        }
        if let only, proofs.entries.isEmpty {
            throw .failed("there is no tenant \(only) in \(quoted(dataPath)); see which there are without --tenant")
        }
        return proofs
    }

    /// Proves the books of a backup, each on a shard that is made of its copy.
    static func prove(
        backupPath: String, only: TenantID? = nil, generation: Int? = nil, _ console: Console
    ) throws(CommandError) -> BookProofs {
        let scratch = try TemporaryDirectory(removedOnSignals: true)
        defer { scratch.remove() }
        var verifier = BackupVerifier(source: backupPath, scratch: scratch.path)
        verifier.only = only
        verifier.generation = generation
        verifier.progress = BackupCommand.progress("books proved", console)
        defer { BackupCommand.endProgress(console) }
        do throws(StorageError) {
            let report = try verifier.verify()
            var proofs = BookProofs()
            proofs.moment = report.moment
            proofs.entries = report.books.map { Entry(tenant: $0.tenant, verdict: $0.verdict.map { $0 }) }
            proofs.fault = report.directoryFault.map { "the directory: \($0)" }
            return proofs
        } catch {
            throw .failed("\(quoted(backupPath)) cannot be read as a backup: \(error)")
        }
    }

    /// What is to be said of a tenant's file that was there a moment ago.
    /// - Parameter listed: The journal's record up to which the manifest says that it was made durable.
    static func verdict(
        on tenant: TenantID, in shards: String, _ listed: UInt64?
    ) -> Result<BookVerdict?, StorageError> {
        let file = ShardStore.file(of: tenant, in: shards)
        do throws(StorageError) {
            return .success(try BookVerifier(path: file, tenant: tenant, listedThrough: listed).verify())
        } catch {
            // A server that runs removes what is left of a making that was cut off, and makes the file anew: no book yet.
            if listed == nil, (try? LocalFileSystem().exists(file)) == false { return .success(nil) }
            return .failure(error)
        }
    }

    private mutating func countPending(in journal: String) throws(StorageError) {
        var held: [TenantID: UInt64] = [:]
        for entry in entries {
            if case .success(let verdict?) = entry.verdict { held[entry.tenant] = verdict.position }
        }
        let pending = try JournalGlance(directory: journal).records(beyond: held)
        for index in entries.indices { entries[index].pending = pending[entries[index].tenant] ?? 0 }
    }

    /// One line for each book in which something is off, naming tenant and entry.
    var faultLines: [String] {
        (fault.map { [$0] } ?? [])
            + entries.compactMap { entry in
                switch entry.verdict {
                case .success(let verdict): verdict?.fault.map { "tenant \(entry.tenant): \($0)" }
                case .failure(let error): "tenant \(entry.tenant): the book cannot be read: \(error)"
                }
            }
    }

    /// A line for each tenant with its totals, and what the journal still holds.
    var text: String {
        guard !entries.isEmpty else { return "no tenants yet\n" }
        var table = Table([
            ("TENANT", .left), ("ENTRIES", .right), ("GRANTED", .right), ("AVAILABLE", .right), ("HELD", .right),
            ("CONSUMED", .right), ("EXPIRED", .right), ("IN JOURNAL", .right), ("VERDICT", .left),
        ])
        for entry in entries { table.add(Self.row(of: entry)) }
        let books = entries.count == 1 ? "1 book" : "\(grouped(entries.count)) books"
        let wrong = faultLines.count
        let pending = entries.reduce(0) { $0 + $1.pending }
        return table.text
            + "\(books) proved, amounts in credits: \(wrong == 0 ? "all is well" : "\(grouped(wrong)) wrong")\n"
            + (moment.map { "a backup of \(momentText($0))\n" }
                ?? "\(grouped(pending)) records are in the journal and not in the books yet\n")
    }

    private static func row(of entry: Entry) -> [String] {
        let name = entry.tenant.description
        let pending = grouped(entry.pending)
        switch entry.verdict {
        case .failure: return [name, "", "", "", "", "", "", pending, "UNREADABLE"]
        case .success(nil): return [name, "0", "0", "0", "0", "0", "0", pending, "ok"]
        case .success(let verdict?):
            let totals = verdict.totals
            let amounts = [totals.granted, totals.available, totals.held, totals.consumed, totals.expired]
            return [name, grouped(verdict.entries)] + amounts.map(Amount.credits)
                + [pending, verdict.fault == nil ? "ok" : "WRONG"]
        }
    }

    /// The proofs for programs; amounts in micros.
    var json: JSONText {
        .object([
            ("ok", .bool(faultLines.isEmpty)),
            ("books", .array(entries.map(Self.json(of:)))),
        ])
    }

    private static func json(of entry: Entry) -> JSONText {
        let head: [(String, JSONText)] = [
            ("tenant", .string(entry.tenant.description)), ("pendingRecords", .integer(Int64(entry.pending))),
        ]
        switch entry.verdict {
        case .failure(let error): return .object(head + [("fault", .string(error.description))])
        case .success(let verdict):
            let totals = verdict?.totals ?? BookTotals()
            return .object(
                head + [
                    ("entries", .integer(Int64(verdict?.entries ?? 0))), ("grantedMicros", .integer(totals.granted)),
                    ("availableMicros", .integer(totals.available)), ("heldMicros", .integer(totals.held)),
                    ("consumedMicros", .integer(totals.consumed)), ("expiredMicros", .integer(totals.expired)),
                    ("journalPosition", .integer(Int64(verdict?.position ?? 0))),
                    ("fault", verdict?.fault.map { .string($0.description) } ?? .null),
                    ("faultEntry", verdict?.fault?.entry.map { .integer(Int64($0)) } ?? .null),
                ])
        }
    }
}

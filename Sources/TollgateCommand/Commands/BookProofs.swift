import Ledger
import Storage

/// The proofs of all books of a data directory.
struct BookProofs {
    /// A book's verdict, or why it could not be had.
    struct Entry {
        var tenant: TenantID
        var verdict: Result<BookVerdict, StorageError>
    }

    /// By tenant.
    private(set) var entries: [Entry] = []

    /// Proves the books of a directory, one after the other.
    static func prove(dataPath: String, only: TenantID? = nil) throws(CommandError) -> BookProofs {
        let layout = DataDirectory.Layout(path: dataPath)
        var tenants: [TenantID]
        do throws(StorageError) {
            tenants = try ShardStore(path: layout.shards).tenants().sorted()
        } catch {
            throw .failed("\(quoted(dataPath)) cannot be read as a data directory: \(error)")
        }
        if let only {
            guard tenants.contains(only) else {
                throw .failed(
                    "there is no book of tenant \(only) in \(quoted(dataPath)); see which there are without --tenant")
            }
            tenants = [only]
        }
        var proofs = BookProofs()
        for tenant in tenants {
            let verdict = Result { () throws(StorageError) in
                try BookVerifier(path: ShardStore.file(of: tenant, in: layout.shards), tenant: tenant).verify()
            }
            proofs.entries.append(Entry(tenant: tenant, verdict: verdict))
        }
        return proofs
    }

    /// One line for each book in which something is off, naming tenant and entry.
    var faultLines: [String] {
        entries.compactMap { entry in
            switch entry.verdict {
            case .success(let verdict): verdict.fault.map { "tenant \(entry.tenant): \($0)" }
            case .failure(let error): "tenant \(entry.tenant): the book cannot be read: \(error)"
            }
        }
    }

    /// A line for each tenant with its totals, and one for all.
    var text: String {
        guard !entries.isEmpty else { return "no books yet\n" }
        var table = Table([
            ("TENANT", .left), ("ENTRIES", .right), ("GRANTED", .right), ("AVAILABLE", .right), ("HELD", .right),
            ("CONSUMED", .right), ("EXPIRED", .right), ("VERDICT", .left),
        ])
        for entry in entries {
            guard case .success(let verdict) = entry.verdict else {
                table.add([entry.tenant.description, "", "", "", "", "", "", "unreadable"])
                continue
            }
            let totals = verdict.totals
            let amounts = [totals.granted, totals.available, totals.held, totals.consumed, totals.expired]
            table.add(
                [entry.tenant.description, grouped(verdict.entries)] + amounts.map(Amount.credits)
                    + [verdict.fault == nil ? "ok" : "WRONG"])
        }
        let wrong = faultLines.count
        let books = entries.count == 1 ? "1 book" : "\(grouped(entries.count)) books"
        return table.text
            + "\(books) proved, amounts in credits: \(wrong == 0 ? "all is well" : "\(grouped(wrong)) wrong")\n"
    }

    /// The proofs for programs; amounts in micros.
    var json: JSONText {
        .object([
            ("ok", .bool(faultLines.isEmpty)),
            ("books", .array(entries.map(Self.json(of:)))),
        ])
    }

    private static func json(of entry: Entry) -> JSONText {
        switch entry.verdict {
        case .failure(let error):
            return .object([("tenant", .string(entry.tenant.description)), ("error", .string(error.description))])
        case .success(let verdict):
            let totals = verdict.totals
            return .object([
                ("tenant", .string(entry.tenant.description)), ("entries", .integer(Int64(verdict.entries))),
                ("grantedMicros", .integer(totals.granted)), ("availableMicros", .integer(totals.available)),
                ("heldMicros", .integer(totals.held)), ("consumedMicros", .integer(totals.consumed)),
                ("expiredMicros", .integer(totals.expired)), ("journalPosition", .integer(Int64(verdict.position))),
                ("fault", verdict.fault.map { .string($0.description) } ?? .null),
                ("faultEntry", verdict.fault?.entry.map { .integer(Int64($0)) } ?? .null),
            ])
        }
    }
}

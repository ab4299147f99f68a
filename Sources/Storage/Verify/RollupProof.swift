import Ledger

/// Proves the tables `usage` and `uses`. Entries come in order of time, so that only the running quarter of an hour needs to
/// be in memory.
struct RollupProof {
    private let database: Database
    private var quarterHour: Int64 = .min
    private var total = UseFold.Use()
    private var bySubject: [UseFold.Subject: UseFold.Use] = [:]
    /// Rows that the entries account for.
    private var usageRows: Int64 = 0
    private var usesRows: Int64 = 0

    init(database: Database) {
        self.database = database
    }

    /// An entry that used something, or gave it back.
    mutating func add(_ entry: Entry, subject: UseFold.Subject) throws(ProofStop) {
        let quarterHour = UsageBucket.quarterHour(of: entry.at)
        if quarterHour != self.quarterHour { try closeQuarterHour(next: quarterHour) }
        total.add(entry.use)
        bySubject[subject, default: UseFold.Use()].add(entry.use)
    }

    mutating func finish() throws(ProofStop) {
        try closeQuarterHour(next: .min)
        for (table, rows) in [("usage", usageRows), ("uses", usesRows)] {
            let found = try lifted { () throws(StorageError) in
                try database.statement("SELECT count(*) FROM \(table)").first { (row) throws(StorageError) in
                    row.integer(0)
                }
            }
            guard found == rows else { throw .fault(nil, "the table \(table) has rows that no entry made") }
        }
    }

    private mutating func closeQuarterHour(next: Int64) throws(ProofStop) {
        if quarterHour != .min {
            guard try storedTotal() == total else {
                throw .fault(nil, "the usage of quarter hour \(quarterHour) is not what the entries add up to")
            }
            guard try storedBySubject() == bySubject else {
                throw .fault(nil, "who used what in quarter hour \(quarterHour) is not what the entries add up to")
            }
            usageRows += 1
            usesRows += Int64(bySubject.count)
        }
        quarterHour = next
        total = UseFold.Use()
        bySubject = [:]
    }

    private func storedTotal() throws(ProofStop) -> UseFold.Use? {
        try lifted { () throws(StorageError) in
            try database.statement("SELECT micros, calls FROM usage WHERE quarter_hour = ?")
                .first({ $0.integer(quarterHour) }) { UseFold.Use(micros: $0.integer(0), calls: $0.integer(1)) }
        }
    }

    private func storedBySubject() throws(ProofStop) -> [UseFold.Subject: UseFold.Use] {
        var stored: [UseFold.Subject: UseFold.Use] = [:]
        try lifted { () throws(StorageError) in
            try database.statement("SELECT feature, actor, micros, calls FROM uses WHERE quarter_hour = ?")
                .rows({ $0.integer(quarterHour) }) { (row) throws(StorageError) in
                    let subject = UseFold.Subject(feature: row.text(0), actor: row.text(1))
                    stored[subject] = UseFold.Use(micros: row.integer(2), calls: row.integer(3))
                    return true
                }
        }
        return stored
    }
}

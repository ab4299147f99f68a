import Ledger

/// Proves the tables `usage` and `daily`. Entries come in order of time, so that only the running quarter of an hour and the
/// running day need to be in memory.
struct RollupProof {
    private let database: Database
    private var quarterHour: Int64 = .min
    private var use = FlushFold.Use()
    private var usageRows: Int64 = 0
    private var day: Int64 = .min
    private var subjects: [FlushFold.Subject: FlushFold.Use] = [:]
    private var dailyRows: Int64 = 0

    init(database: Database) {
        self.database = database
    }

    /// An entry that used something, or gave it back.
    mutating func add(_ entry: Entry, subject: FlushFold.Subject) throws(ProofStop) {
        let quarterHour = UsageBucket.quarterHour(of: entry.at)
        if quarterHour != self.quarterHour { try closeQuarterHour(next: quarterHour) }
        if entry.at.day != day { try closeDay(next: entry.at.day) }
        use.add(entry.use)
        subjects[subject, default: FlushFold.Use()].add(entry.use)
    }

    mutating func finish() throws(ProofStop) {
        try closeQuarterHour(next: .min)
        try closeDay(next: .min)
        for (table, rows) in [("usage", usageRows), ("daily", dailyRows)] {
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
            let stored = try lifted { () throws(StorageError) in
                try database.statement("SELECT micros, calls FROM usage WHERE quarter_hour = ?")
                    .first({ $0.integer(quarterHour) }) { FlushFold.Use(micros: $0.integer(0), calls: $0.integer(1)) }
            }
            guard let stored, stored == use else {
                throw .fault(nil, "the usage of quarter hour \(quarterHour) is not what the entries add up to")
            }
            usageRows += 1
        }
        quarterHour = next
        use = FlushFold.Use()
    }

    private mutating func closeDay(next: Int64) throws(ProofStop) {
        if day != .min {
            var stored: [FlushFold.Subject: FlushFold.Use] = [:]
            try lifted { () throws(StorageError) in
                try database.statement("SELECT feature, actor, micros, calls FROM daily WHERE day = ?")
                    .rows({ $0.integer(day) }) { (row) throws(StorageError) in
                        let subject = FlushFold.Subject(feature: row.text(0), actor: row.text(1))
                        stored[subject] = FlushFold.Use(micros: row.integer(2), calls: row.integer(3))
                        return true
                    }
            }
            guard stored == subjects else {
                throw .fault(nil, "the daily use of day \(day) is not what the entries add up to")
            }
            dailyRows += Int64(stored.count)
        }
        day = next
        subjects = [:]
    }
}

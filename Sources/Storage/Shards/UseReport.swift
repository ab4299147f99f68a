import Ledger

extension Shard {
    /// What was used, less what was refunded, of what each limit counts, from the quarter of an hour on that its `since`
    /// belongs to, and the last entry that this takes in. One walk over the table, however many limits there are.
    func use(of limits: [LedgerState.NewLimit]) throws(StorageError) -> (uses: [LimitUse], through: UInt64) {
        var sums = UseSums(limits)
        try database.transaction("BEGIN") { () throws(StorageError) in
            if let first = sums.first(where: { $0 == .tenant }) {
                let sql = "SELECT quarter_hour, micros FROM usage WHERE quarter_hour >= ? ORDER BY quarter_hour"
                try database.statement(sql).rows({ $0.integer(first) }) { (row) throws(StorageError) in
                    sums.add(row.integer(1), in: row.integer(0))
                    return true
                }
            }
            if let first = sums.first(where: { $0 != .tenant }) {
                let sql = """
                    SELECT quarter_hour, feature, actor, micros FROM uses WHERE quarter_hour >= ? ORDER BY quarter_hour
                    """
                try database.statement(sql).rows({ $0.integer(first) }) { (row) throws(StorageError) in
                    sums.add(row.integer(3), in: row.integer(0), feature: row.text(1), member: row.text(2))
                    return true
                }
            }
        }
        return (sums.uses, meta.sequence)
    }
}

/// Adds up what several limits count.
private struct UseSums {
    /// What a limit counts.
    private struct Key: Hashable {
        let scope: LimitScope
        var feature = ""
        var member = ""
    }

    private(set) var uses: [LimitUse]
    private let scopes: [LimitScope]
    private let quarterHours: [Int64]
    /// The places of limits by what they count.
    private var places: [Key: [Int]] = [:]

    init(_ limits: [LedgerState.NewLimit]) {
        uses = Array(repeating: LimitUse(), count: limits.count)
        scopes = limits.map(\.limit.scope)
        quarterHours = limits.map { UsageBucket.quarterHour(of: $0.since) }
        for (place, new) in limits.enumerated() {
            let limit = new.limit
            let key =
                switch limit.scope {
                case .tenant: Key(scope: .tenant)
                case .feature: Key(scope: .feature, feature: limit.feature)
                case .member: Key(scope: .member, member: limit.member)
                case .memberFeature: Key(scope: .memberFeature, feature: limit.feature, member: limit.member)
                }
            places[key, default: []].append(place)
        }
    }

    /// The first quarter of an hour that some limit of these scopes counts; nil where there is no such limit.
    func first(where isMeant: (LimitScope) -> Bool) -> Int64? {
        scopes.indices.filter { isMeant(scopes[$0]) }.map { quarterHours[$0] }.min()
    }

    /// For whomever.
    mutating func add(_ micros: Int64, in quarterHour: Int64) {
        add(micros, in: quarterHour, Key(scope: .tenant))
    }

    mutating func add(_ micros: Int64, in quarterHour: Int64, feature: String, member: String) {
        add(micros, in: quarterHour, Key(scope: .feature, feature: feature))
        add(micros, in: quarterHour, Key(scope: .member, member: member))
        add(micros, in: quarterHour, Key(scope: .memberFeature, feature: feature, member: member))
    }

    private mutating func add(_ micros: Int64, in quarterHour: Int64, _ key: Key) {
        guard let matches = places[key] else { return }
        for place in matches where quarterHour >= quarterHours[place] { uses[place].add(micros, in: quarterHour) }
    }
}

import Ledger

/// What a journal tells of a tenant's book. Refusals, which are not numbered, tell nothing.
struct JournalTrace {
    /// The first entry that it has.
    private(set) var first: UInt64?
    /// The last entry of the records that the shard says to hold.
    private(set) var lastHeld: UInt64?
    /// The first entry of those that the shard lacks.
    private(set) var firstBehind: UInt64?

    /// It has the whole book, so that a shard may be made of it.
    var beginsBook: Bool { first == 1 }

    /// The entries that any shard of the tenant held when the journal was trimmed to what it has now.
    var trimmedEntries: UInt64 { (first ?? 1) - 1 }

    private mutating func add(_ entry: EntryView, isHeld: Bool) {
        first = first ?? entry.sequence
        if isHeld { lastHeld = entry.sequence } else { firstBehind = firstBehind ?? entry.sequence }
    }

    /// - Parameter held: By tenant, the last record that its shard says to hold.
    static func traces(
        of journal: any Journal, held: [TenantID: UInt64]
    ) throws(StorageError) -> [TenantID: JournalTrace] {
        var traces: [TenantID: JournalTrace] = [:]
        try journal.replay(after: 0) { (position, tenant, record) throws(StorageError) in
            do throws(CodecError) {
                var entries = try EntryViews(ofRecord: record)
                while let entry = try entries.next() {
                    if entry.kind == .refusal { continue }
                    traces[tenant, default: JournalTrace()].add(entry, isHeld: position <= held[tenant] ?? 0)
                }
            } catch {
                throw .corrupt(path: "journal", reason: "record \(position) of tenant \(tenant): \(error)")
            }
        }
        return traces
    }
}

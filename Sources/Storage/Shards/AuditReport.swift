import Ledger

/// Which entries of the audit trail are wanted, newest first.
package struct AuditQuery: Sendable {
    /// Only entries before this sequence: where the page before ended.
    package var before: UInt64?
    /// Only entries dated at this moment or later.
    package var from: Instant?
    /// Only entries dated before this moment.
    package var to: Instant?
    /// Only what was done on behalf of this end user.
    package var actor: String?
    /// At most `StorageLimits.maxPageRows`.
    package var limit: Int

    package init(
        before: UInt64? = nil, from: Instant? = nil, to: Instant? = nil, actor: String? = nil, limit: Int
    ) {
        self.before = before
        self.from = from
        self.to = to
        self.actor = actor
        self.limit = limit
    }
}

package struct AuditPage: Sendable {
    /// Each has an audit note.
    package var entries: [Entry] = []
    /// As `TransactionPage.next`.
    package var next: UInt64?
}

extension Shard {
    func audit(_ query: AuditQuery) throws(StorageError) -> AuditPage {
        let limit = max(1, min(query.limit, StorageLimits.maxPageRows))
        var end = min(query.before ?? .max, meta.sequence + 1)
        if let to = query.to { end = min(end, try firstEntry(at: to)) }
        var page = AuditPage()
        var scanned = 0
        var bytes = 0
        let sql = "SELECT sequence, at FROM audit WHERE sequence < ? ORDER BY sequence DESC"
        try database.statement(sql).rows({ $0.integer(end) }) { (row) throws(StorageError) in
            let sequence = row.unsigned(0)
            if let from = query.from, row.integer(1) < from.microseconds { return false }
            if page.entries.count == limit || scanned == StorageLimits.maxScannedRows || bytes > StorageLimits.pageBytes
            {
                page.next = sequence + 1
                return false
            }
            scanned += 1
            let entry = try entry(sequence)
            guard let note = entry.audit else {
                throw .corrupt(database, "entry \(sequence) has no note for the audit trail")
            }
            if query.actor == nil || note.origin.actor == query.actor {
                bytes += note.byteCount
                page.entries.append(entry)
            }
            return true
        }
        return page
    }
}

extension AuditNote {
    /// About as many bytes as it takes in an answer.
    fileprivate var byteCount: Int {
        [
            origin.keyID, origin.actor, origin.address, origin.forwardedFor, method, target, before, after, reason,
            refusal,
        ].reduce(64) { $0 + $1.utf8.count }
    }
}

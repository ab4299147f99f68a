import Ledger

/// Which entries of a book are wanted, newest first.
package struct TransactionQuery: Sendable {
    /// Only entries before this sequence: where the page before ended.
    package var before: UInt64?
    /// Only entries dated at this moment or later.
    package var from: Instant?
    /// Only entries dated before this moment.
    package var to: Instant?
    /// Only entries of this actor's reservations, or grants made by it.
    package var actor: String?
    /// Only entries of reservations for this feature.
    package var feature: String?
    /// Only entries of these kinds; nil for all.
    package var kinds: Set<EntryKind>?
    /// At most `StorageLimits.maxPageRows`.
    package var limit: Int

    package init(
        before: UInt64? = nil, from: Instant? = nil, to: Instant? = nil, actor: String? = nil, feature: String? = nil,
        kinds: Set<EntryKind>? = nil, limit: Int
    ) {
        self.before = before
        self.from = from
        self.to = to
        self.actor = actor
        self.feature = feature
        self.kinds = kinds
        self.limit = limit
    }
}

/// An entry with what a reader needs beside it.
package struct StoredEntry: Sendable {
    package var entry: Entry
    /// The terms of the reservation that it is about; nil where it is about none.
    package var terms: ReservationTerms?
    /// The 16 bytes of its hash in the chain.
    package var hash: [UInt8]
}

package struct TransactionPage: Sendable {
    package var entries: [StoredEntry] = []
    /// `before` of the page that follows; nil where there is nothing left. A page may be short, even empty, and still have one:
    /// a filter that matches little looks at a bounded number of entries at a time.
    package var next: UInt64?
}

/// Which reservations are wanted, the newest first.
package struct ReservationQuery: Sendable {
    /// Only those in this state.
    package var state: ReservationState?
    /// Only those that began before this sequence: where the page before ended.
    package var before: UInt64?
    /// At most `StorageLimits.maxPageRows`.
    package var limit: Int

    package init(state: ReservationState? = nil, before: UInt64? = nil, limit: Int) {
        self.state = state
        self.before = before
        self.limit = limit
    }
}

package struct ReservationPage: Sendable {
    package var reservations: [Reservation] = []
    /// As `TransactionPage.next`.
    package var next: UInt64?
}

extension Shard {
    func transactions(_ query: TransactionQuery) throws(StorageError) -> TransactionPage {
        let limit = max(1, min(query.limit, StorageLimits.maxPageRows))
        var end = min(query.before ?? .max, meta.sequence + 1)
        if let to = query.to { end = min(end, try firstEntry(at: to)) }
        var page = TransactionPage()
        var known: [StepID: ReservationTerms] = [:]
        var scanned = 0
        var bytes = 0
        let sql = "SELECT sequence, body, hash FROM entries WHERE sequence < ? ORDER BY sequence DESC"
        try database.statement(sql).rows({ $0.integer(end) }) { (row) throws(StorageError) in
            if page.entries.count == limit || scanned == StorageLimits.maxScannedRows || bytes > StorageLimits.pageBytes
            {
                page.next = row.unsigned(0) + 1
                return false
            }
            scanned += 1
            let entry = try decode(row.blob(1), row.unsigned(0))
            if let from = query.from, entry.at < from { return false }
            if let kinds = query.kinds, !kinds.contains(entry.kind) { return true }
            let terms = try terms(of: entry, &known)
            if query.matches(entry, terms) {
                bytes += row.blob(1).count + (terms?.byteCount ?? 0)
                page.entries.append(StoredEntry(entry: entry, terms: terms, hash: Array(row.blob(2))))
            }
            return true
        }
        return page
    }

    private func terms(
        of entry: Entry, _ known: inout [StepID: ReservationTerms]
    ) throws(StorageError) -> ReservationTerms? {
        if case .opening(let terms, _) = entry.detail { return terms }
        guard entry.reservation != .zero else { return nil }
        if let terms = known[entry.reservation] { return terms }
        guard let opening = try opening(of: entry.reservation), case .opening(let terms, _) = opening.detail else {
            throw .corrupt(database, "the opening entry of reservation \(entry.reservation) is missing")
        }
        known[entry.reservation] = terms
        return terms
    }

    /// The sequence of the first entry dated at `instant` or later; one behind the last where there is none. Dates never go
    /// back, so that halving finds it without an index.
    func firstEntry(at instant: Instant) throws(StorageError) -> UInt64 {
        var low: UInt64 = 1
        var high = meta.sequence + 1
        while low < high {
            let middle = low + (high - low) / 2
            if try entry(middle).at < instant { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func reservations(_ query: ReservationQuery) throws(StorageError) -> ReservationPage {
        query.state == .open ? try openReservations(query) : try reservationsByOpening(query)
    }

    /// Walks the book back by the entries that began a reservation, so that no index is kept for a list that is asked for seldom.
    private func reservationsByOpening(_ query: ReservationQuery) throws(StorageError) -> ReservationPage {
        let limit = max(1, min(query.limit, StorageLimits.maxPageRows))
        let end = min(query.before ?? .max, meta.sequence + 1)
        var page = ReservationPage()
        var scanned = 0
        var bytes = 0
        let sql = "SELECT sequence, body FROM entries WHERE sequence < ? ORDER BY sequence DESC"
        try database.statement(sql).rows({ $0.integer(end) }) { (row) throws(StorageError) in
            if page.reservations.count == limit || scanned == StorageLimits.maxScannedRows
                || bytes > StorageLimits.pageBytes
            {
                page.next = row.unsigned(0) + 1
                return false
            }
            scanned += 1
            let opening = try decode(row.blob(1), row.unsigned(0))
            guard case .opening = opening.detail else { return true }
            guard let reservation = try reservation(opening.reservation) else {
                throw .corrupt(database, "reservation \(opening.reservation) is missing")
            }
            if query.state == nil || reservation.progress.state == query.state {
                bytes += reservation.terms.byteCount
                page.reservations.append(reservation)
            }
            return true
        }
        return page
    }

    /// The open ones have an index of their own and are few.
    private func openReservations(_ query: ReservationQuery) throws(StorageError) -> ReservationPage {
        let limit = max(1, min(query.limit, StorageLimits.maxPageRows))
        let end = min(query.before ?? .max, meta.sequence + 1)
        var page = ReservationPage()
        var bytes = 0
        let sql = """
            SELECT id, opened, closed, last FROM reservations INDEXED BY open_reservations
            WHERE closed IS NULL AND opened < ? ORDER BY opened DESC
            """
        try database.statement(sql).rows({ $0.integer(end) }) { (row) throws(StorageError) in
            let place = ReservationPlace(row, from: 1)
            if page.reservations.count == limit || bytes > StorageLimits.pageBytes {
                page.next = place.opened + 1
                return false
            }
            guard let id = row.id(0) else { throw .corrupt(database, "a reservation's id is damaged") }
            let reservation = try reservation(id, at: place)
            bytes += reservation.terms.byteCount
            page.reservations.append(reservation)
            return true
        }
        return page
    }
}

extension TransactionQuery {
    fileprivate func matches(_ entry: Entry, _ terms: ReservationTerms?) -> Bool {
        if let feature, terms?.feature != feature { return false }
        if let actor, (terms?.actor ?? entry.actor) != actor { return false }
        return true
    }
}

extension ReservationTerms {
    /// About as many bytes as they take in an answer.
    fileprivate var byteCount: Int {
        labels.reduce(feature.utf8.count + actor.utf8.count + comment.utf8.count) {
            $0 + $1.key.utf8.count + $1.value.utf8.count
        }
            + quantities.reduce(0) { $0 + $1.unit.utf8.count + 8 } + 64
    }
}

import Ledger

extension PlainBook {
    /// In what a book in memory, which has the same entries, is not this one.
    func difference(from snapshot: BookSnapshot) -> String? {
        guard snapshot.totals == totals.last! else { return "\(snapshot.totals) is read, and is \(totals.last!)" }
        guard snapshot.grants.count == grants.count, snapshot.openReservations.count == open.count else {
            return "\(snapshot.openReservations.count) holds are open, of \(open.count)"
        }
        for (found, own) in zip(snapshot.grants, grants)
        where found.available != own.available || found.held != own.held || found.consumed != own.consumed
            || found.expired != own.expired || found.paid != own.paid || found.expiresAt != own.expiresAt
        {
            return "grant \(found) should be \(own)"
        }
        for found in snapshot.openReservations {
            guard let own = reservations[found.id], own.state == .open, own.held == found.progress.held,
                own.charged == found.progress.committed, own.refunded == found.progress.refunded,
                own.expiresAt == found.progress.expiresAt
            else { return "\(found) should be \(String(describing: reservations[found.id]))" }
        }
        return snapshot.governance.subscription?.cycle?.end == cycleEnd ? nil : "another cycle runs"
    }
}

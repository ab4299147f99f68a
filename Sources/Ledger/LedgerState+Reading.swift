extension LedgerState {
    package var balance: BalanceAfter {
        BalanceAfter(available: totals.available, held: totals.held)
    }

    /// By number.
    package var grants: [Grant] { grantTable.grants }

    /// What is used beyond the grants.
    package var overage: Overage { grantTable.overage }

    /// When the next thing happens by itself: a hold ends, what is available of a grant expires, or a cycle turns.
    package var nextDeadline: Instant? {
        let first = min(
            holds.first?.expiresAt ?? .distantFuture, grantTable.nextExpiry?.at ?? .distantFuture,
            governance.cycleEnd)
        return first == .distantFuture ? nil : first
    }

    /// What memory knows of a reservation: every open one, and those that were closed lately.
    package func reservation(_ id: StepID) -> Reservation? {
        guard let place = memory.reservations.find(id), memory.reservations[place].hasTerms else { return nil }
        return memory.reservations[place].reservation
    }

    /// In the order in which they were made.
    package func openReservations() -> [Reservation] {
        memory.reservations.open()
    }

    /// The price that reservations name by this version.
    package func price(version: UInt32) -> FeaturePrice? {
        prices[version]
    }

    /// What was consumed since the quarter of an hour that `since` belongs to, net of the refunds made since then: less
    /// than nothing where more was refunded than charged. Reaches back 62 days from the last entry.
    package func consumed(since: Instant) -> Int64 {
        usageTable.consumed(since: since, at: lastAt)
    }

    /// What was consumed by quarter of an hour, sorted, in the 62 days before the last entry; those without any are left out.
    package var usage: [UsageBucket] { usageTable.recent(at: lastAt) }

    /// What a restored state must know, as the book is now.
    package func snapshot() -> BookSnapshot {
        BookSnapshot(
            sequence: sequence, at: lastAt, totals: totals, grants: grants, overage: overage, governance: governance,
            openReservations: openReservations(),
            prices: prices.prices.enumerated().map { VersionedPrice(version: UInt32($0 + 1), price: $1) },
            usage: usage, newestTimeOrderedID: seen.greatest, holdsOtherIDs: seen.holdsOthers)
    }
}

import Ledger

/// The proof reads decoded entries, by rules written once more, so that a fault in how a flush reads them shows.
extension Entry {
    /// What the entry adds to the rollups: the credits that it charged, less those it refunded, and one call where it is the first
    /// charge of its reservation.
    var use: UseFold.Use {
        var use = UseFold.Use()
        for move in moves { use.micros &+= move.consumed }
        switch (kind, detail) {
        case (.charge, _): use.calls = 1
        case (.commit, .progress(let progress, _)): use.calls = progress.wrappingCommitted == use.micros ? 1 : 0
        case (.partialCommit, .progress(let progress, _)):
            use.calls = use.micros > 0 && progress.wrappingCommitted == use.micros ? 1 : 0
        default: break
        }
        return use
    }

    /// The reservation is not open any more because of this entry; a late commit closes it once more.
    var closesReservation: Bool {
        switch kind {
        case .charge, .commit, .release, .holdExpiry: true
        default: false
        }
    }
}

extension ReservationProgress {
    /// As `committed`, for numbers that may come from a damaged file and must not stop the process.
    fileprivate var wrappingCommitted: Int64 {
        draws.reduce(refunded) { $0 &+ $1.consumed }
    }
}

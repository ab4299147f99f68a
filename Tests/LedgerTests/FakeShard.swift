import Ledger

/// A tenant's book as a shard keeps it: all entries that were flushed, looked through from end to end for every question.
struct FakeShard {
    private(set) var entries: [Entry] = []

    mutating func apply(_ flushed: [Entry]) {
        entries += flushed
    }

    /// Number of the last entry.
    var sequence: UInt64 { entries.last { $0.sequence > 0 }?.sequence ?? 0 }

    func opening(of reservation: StepID) -> Entry? {
        entries.first { entry in
            if case .opening = entry.detail { entry.reservation == reservation } else { false }
        }
    }

    func reservation(_ id: StepID) -> Reservation? {
        guard let opening = opening(of: id), case .opening(let terms, var progress) = opening.detail else { return nil }
        for entry in entries where entry.reservation == id {
            if case .progress(let later, _) = entry.detail { progress = later }
        }
        return Reservation(id: id, createdAt: opening.at, terms: terms, progress: progress)
    }

    /// What succeeded under the key, or else the last refusal.
    func step(_ key: StepKey) -> RecordedStep? {
        let steps = entries.filter { $0.key == key }
        guard let entry = steps.first(where: { $0.kind != .refusal }) ?? steps.last else { return nil }
        return RecordedStep.recorded(for: entry, opening: opening(of: entry.reservation))
    }

    func recall(_ recall: Recall) -> Recalled {
        Recalled(step: recall.step.flatMap(step), reservation: recall.reservation.flatMap(reservation))
    }

    func snapshot() -> BookSnapshot {
        var state = LedgerState()
        for entry in entries { state.evolve(entry) }
        return state.snapshot()
    }
}

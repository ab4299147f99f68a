extension StepAnswer {
    /// The answer of the step that made `entry`: the only way in which an answer is made, so that a replay from the shard
    /// says the same as the first time, to the letter.
    /// - Parameter opening: the entry that began the reservation, where `entry` is a later one of a reservation.
    /// - Returns: nil where the entry is not a caller's step that succeeded, or `opening` is not its reservation's.
    package static func answer(for entry: Entry, opening: Entry?) -> StepAnswer? {
        switch entry.subject {
        case .progress:
            guard let opening, opening.reservation == entry.reservation, let terms = opening.terms else { return nil }
            return answer(for: entry, terms: terms, createdAt: opening.at)
        default:
            return answer(for: entry, terms: .empty, createdAt: entry.at)
        }
    }

    /// - Parameters:
    ///   - terms: those of the reservation that the entry goes on with; any where it does not.
    ///   - createdAt: when that reservation was made.
    static func answer(for entry: Entry, terms: ReservationTerms, createdAt: Instant) -> StepAnswer? {
        switch entry.subject {
        case .grant(let grant):
            return StepAnswer(entry, nil, grant.havingPaid(entry.moves.reduce(0) { $0 &+ $1.paid }))
        case .opening:
            return StepAnswer(
                entry,
                Reservation(
                    id: entry.reservation, createdAt: entry.at, terms: entry.terms ?? .empty, progress: entry.progress))
        case .progress:
            if entry.kind == .holdExpiry { return nil }
            return StepAnswer(
                entry,
                Reservation(id: entry.reservation, createdAt: createdAt, terms: terms, progress: entry.progress))
        case .nothing where entry.kind == .grantExpiry:
            return nil
        case .price, .refusal:
            return nil
        case .nothing, .change:
            return StepAnswer(entry, nil)
        }
    }

    private init(_ entry: Entry, _ reservation: Reservation?, _ grant: Grant? = nil) {
        self.init(
            kind: entry.kind, at: entry.at, amount: entry.amount, balance: entry.after, reservation: reservation,
            grant: grant)
    }
}

extension RecordedStep {
    /// What is remembered of the step that made `entry`, refused or not; nil where `StepAnswer.answer(for:opening:)` has none.
    package static func recorded(for entry: Entry, opening: Entry?) -> RecordedStep? {
        if case .refusal(let refusal) = entry.subject {
            return RecordedStep(fingerprint: entry.fingerprint, at: entry.at, outcome: .failure(refusal))
        }
        guard let answer = StepAnswer.answer(for: entry, opening: opening) else { return nil }
        return RecordedStep(fingerprint: entry.fingerprint, at: entry.at, outcome: .success(answer))
    }
}

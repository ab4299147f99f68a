extension Command {
    /// Under what the step is remembered; nil for an extension without an id.
    package var key: StepKey? {
        switch self {
        case .grant(let grant): StepKey(family: .grant, id: grant.id)
        case .reserve(let reserve), .charge(let reserve): StepKey(family: .opening, id: reserve.id)
        case .commit(let commit): commit.key
        case .release(let release): StepKey(family: .release, id: release.reservation)
        case .refund(let refund): StepKey(family: .refund, id: refund.id)
        case .extend(let extend): extend.id.map { StepKey(family: .extend, id: $0) }
        }
    }

    /// The reservation that must exist for the step.
    package var reservation: StepID? {
        switch self {
        case .grant, .reserve, .charge: nil
        case .commit(let commit): commit.reservation
        case .release(let release): release.reservation
        case .refund(let refund): refund.reservation
        case .extend(let extend): extend.reservation
        }
    }

    package var fingerprint: UInt64 {
        switch self {
        case .grant(let grant): grant.fingerprint
        case .reserve(let reserve), .charge(let reserve): reserve.fingerprint
        case .commit(let commit): commit.fingerprint
        case .release(let release): release.fingerprint
        case .refund(let refund): refund.fingerprint
        case .extend(let extend): extend.fingerprint
        }
    }
}

extension CommitCommand {
    package var key: StepKey {
        if let id { return StepKey(family: .commit, id: id) }
        guard partial else { return StepKey(family: .commit, id: reservation) }
        // Two different parts of one reservation are two steps, the same part sent twice is one.
        return StepKey(
            family: .anonymousPartial, id: StepID(high: reservation.high, low: reservation.low ^ fingerprint))
    }
}

extension Entry {
    /// The step goes by its reservation's own id, so that who finds the reservation finds the step: memory and shard keep
    /// no place of its own for it.
    package var isKeyedByReservation: Bool {
        guard let key, key.id == reservation else { return false }
        return switch kind {
        case .reserve, .charge: key.family == .opening
        case .commit: key.family == .commit
        case .release: key.family == .release
        default: false
        }
    }
}

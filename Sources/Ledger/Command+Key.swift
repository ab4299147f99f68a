extension Command {
    /// Under what the step is remembered; nil for an extension without an id.
    package var key: StepKey? {
        switch self {
        case .grant(let grant): StepKey(family: .grant, id: grant.id)
        // Two patterns that share a name would copy the whole command.
        case .reserve(let reserve): StepKey(family: .opening, id: reserve.id)
        case .charge(let charge): StepKey(family: .opening, id: charge.id)
        case .commit(let commit): commit.key
        case .release(let release): release.key
        case .refund(let refund): refund.key
        case .extend(let extend): extend.key
        case .subscribe(let subscribe): subscribe.id.map { StepKey(family: .subscription, id: $0) }
        case .set: nil
        case .revoke(let revoke): StepKey(family: .grantRevocation, id: revoke.grant)
        case .note(let note): note.id.map { StepKey(family: .note, id: $0) }
        }
    }

    /// The reservation that must exist for the step.
    package var reservation: StepID? {
        switch self {
        case .grant, .reserve, .charge, .subscribe, .set, .revoke, .note: nil
        case .commit(let commit): commit.reservation
        case .release(let release): release.reservation
        case .refund(let refund): refund.reservation
        case .extend(let extend): extend.reservation
        }
    }

    package var fingerprint: UInt64 {
        switch self {
        case .grant(let grant): grant.fingerprint
        case .reserve(let reserve): reserve.fingerprint
        case .charge(let charge): charge.fingerprint
        case .commit(let commit): commit.fingerprint
        case .release(let release): release.fingerprint
        case .refund(let refund): refund.fingerprint
        case .extend(let extend): extend.fingerprint
        // These go by their ids alone: whoever made them made one for one change.
        case .subscribe, .set, .revoke, .note: 0
        }
    }

    /// Who asks, and by which call, where the audit trail is to know.
    var audited: (origin: CallOrigin, method: String, target: String)? {
        switch self {
        case .reserve(let reserve):
            reserve.origin.map { ($0.acting(for: reserve.actor), "tollgate.v1.Metering/Reserve", reserve.feature) }
        case .charge(let charge):
            charge.origin.map { ($0.acting(for: charge.actor), "tollgate.v1.Metering/Charge", charge.feature) }
        case .commit(let commit): commit.origin.map { ($0, "tollgate.v1.Metering/Commit", "") }
        default: nil
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

extension ReleaseCommand {
    var key: StepKey { StepKey(family: .release, id: reservation) }
}

extension RefundCommand {
    var key: StepKey { StepKey(family: .refund, id: id) }
}

extension ExtendCommand {
    var key: StepKey? { id.map { StepKey(family: .extend, id: $0) } }
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

/// Who asks, and from where. Calls with the same headers on one connection share it.
package final class CallOrigin: Sendable, Equatable {
    package let keyID: String
    /// The end user on whose behalf the call is made; empty where none was named.
    package let actor: String
    /// The address of the connection.
    package let address: String
    /// What a proxy said of where the call comes from; not to be relied on.
    package let forwardedFor: String

    package init(keyID: String, actor: String = "", address: String = "", forwardedFor: String = "") {
        self.keyID = keyID
        self.actor = actor
        self.address = address
        self.forwardedFor = forwardedFor
    }

    /// The same where a step names its own end user.
    func acting(for actor: String) -> CallOrigin {
        if actor.isEmpty || actor == self.actor { return self }
        return CallOrigin(keyID: keyID, actor: actor, address: address, forwardedFor: forwardedFor)
    }

    package static func == (a: CallOrigin, b: CallOrigin) -> Bool {
        a === b
            || a.keyID == b.keyID && a.actor == b.actor && a.address == b.address && a.forwardedFor == b.forwardedFor
    }
}

/// What the audit trail says of an entry: who did it, what it was about, and how it ended. It is part of the entry and so
/// under the book's hashes.
package final class AuditNote: Sendable, Equatable {
    /// Raw values are stored for ever.
    package enum Outcome: UInt8, Sendable {
        case done = 1
        case refused = 2
        /// Done, though a limit on trial would have refused it.
        case wouldRefuse = 3
    }

    package let origin: CallOrigin
    /// As "tollgate.v1.Settings/SetLimits".
    package let method: String
    /// What it was about: a feature, a member, a key.
    package let target: String
    /// What stood before and after, as JSON; empty for nothing.
    package let before: String
    package let after: String
    /// Why, in the words of who did it.
    package let reason: String
    package let outcome: Outcome
    /// The reason of a refusal, as "PERMISSION_MISSING".
    package let refusal: String
    /// Refusals before this one that were not noted.
    package let notNoted: UInt32
    /// The limits on trial that would have refused it, by their places in the order in which they are asked.
    package let limits: [UInt16]

    package init(
        origin: CallOrigin, method: String, target: String = "", before: String = "", after: String = "",
        reason: String = "", outcome: Outcome = .done, refusal: String = "", notNoted: UInt32 = 0,
        limits: [UInt16] = []
    ) {
        self.origin = origin
        self.method = method
        self.target = target
        self.before = before
        self.after = after
        self.reason = reason
        self.outcome = outcome
        self.refusal = refusal
        self.notNoted = notNoted
        self.limits = limits
    }

    package static func == (a: AuditNote, b: AuditNote) -> Bool {
        a === b
            || a.origin == b.origin && a.method == b.method && a.target == b.target && a.before == b.before
                && a.after == b.after && a.reason == b.reason && a.outcome == b.outcome && a.refusal == b.refusal
                && a.notNoted == b.notNoted && a.limits == b.limits
    }
}

/// Changes a tenant's plan, how its subscription stands, or its time zone.
package struct SubscriptionCommand: Sendable {
    /// What the running cycle's allowance becomes where a change holds at once.
    package enum AllowanceRule: Sendable {
        case keep
        case topUp
        case replace
    }

    /// Nil for a change that says the same thing twice without harm.
    package var id: StepID?
    /// Nil leaves the plan; empty takes it away.
    package var plan: String?
    package var state: SubscriptionState?
    package var zone: String?
    /// Plan and state change when the running cycle ends.
    package var isAtCycleEnd: Bool
    package var allowance: AllowanceRule
    package var origin: CallOrigin?
    package var method: String
    package var reason: String

    package init(
        id: StepID? = nil, plan: String? = nil, state: SubscriptionState? = nil, zone: String? = nil,
        isAtCycleEnd: Bool = false, allowance: AllowanceRule = .keep, origin: CallOrigin? = nil, method: String = "",
        reason: String = ""
    ) {
        self.id = id
        self.plan = plan
        self.state = state
        self.zone = zone
        self.isAtCycleEnd = isAtCycleEnd
        self.allowance = allowance
        self.origin = origin
        self.method = method
        self.reason = reason
    }
}

/// Changes a setting. The same again changes nothing.
package struct SettingCommand: Sendable {
    package enum Change: Sendable {
        case aiEnabled(Bool)
        /// Unspecified takes the setting back.
        case quality(feature: String, Quality)
        /// All limits from now on, with the zone by whose midnight they count while the tenant has no plan, and what was
        /// used already of those that are new (see `LedgerState.newLimits`).
        case limits([UsageLimit], zone: String, used: [Int64])
    }

    package var change: Change
    package var origin: CallOrigin?
    package var method: String
    package var reason: String

    package init(_ change: Change, origin: CallOrigin? = nil, method: String = "", reason: String = "") {
        self.change = change
        self.origin = origin
        self.method = method
        self.reason = reason
    }
}

/// Takes back what is available of a grant.
package struct RevokeCommand: Sendable {
    package var grant: StepID
    package var origin: CallOrigin?
    package var reason: String

    package init(grant: StepID, origin: CallOrigin? = nil, reason: String = "") {
        self.grant = grant
        self.origin = origin
        self.reason = reason
    }
}

/// Notes something for the audit trail that changed nothing in the book: a key, a member, or a call that was refused.
package struct NoteCommand: Sendable {
    /// Of what must be noted exactly once; nil for a refusal, of which so many are noted in an hour.
    package var id: StepID?
    package var note: AuditNote

    package init(id: StepID? = nil, note: AuditNote) {
        self.id = id
        self.note = note
    }
}

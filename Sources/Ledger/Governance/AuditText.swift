/// What stood before and after a change, as JSON for the audit trail.
enum AuditText {
    static func flag(_ isOn: Bool) -> String { isOn ? "true" : "false" }

    static func quality(_ quality: Quality) -> String {
        switch quality {
        case .unspecified: ""
        case .cheap: "\"cheap\""
        case .medium: "\"medium\""
        case .best: "\"best\""
        }
    }

    static func grant(_ grant: Grant) -> String {
        object([
            ("kind", quoted("\(grant.kind)")), ("amount_micros", "\(grant.amount)"),
            ("available_micros", "\(grant.available)"),
            ("expires_at_micros", grant.expiresAt.map { "\($0.microseconds)" }),
        ])
    }

    static func subscription(_ subscription: Subscription?, zone: String? = nil) -> String {
        var fields: [(String, String?)] = [("plan", subscription.map { quoted($0.terms.name) })]
        fields.append(("state", subscription.map { quoted(state($0.state)) }))
        fields.append(("next_plan", subscription?.nextPlan.map(quoted)))
        fields.append(("next_state", subscription?.nextState.map { quoted(state($0)) }))
        fields.append(("time_zone", zone.map(quoted)))
        return object(fields)
    }

    /// As catalogs name it.
    private static func state(_ state: SubscriptionState) -> String {
        state == .pastDue ? "past_due" : "\(state)"
    }

    static func limits(_ limits: [UsageLimit]) -> String {
        limits.isEmpty ? "" : "[" + limits.map(limit).joined(separator: ",") + "]"
    }

    private static func limit(_ limit: UsageLimit) -> String {
        object(
            place(limit.scope, limit.window, limit.member, limit.feature)
                + [
                    ("soft", bound(limit.soft)), ("hard", bound(limit.hard)),
                    ("enforce", limit.isEnforced ? nil : "false"),
                ])
    }

    private static func bound(_ bound: LimitBound) -> String? {
        switch bound {
        case .none: nil
        case .micros(let micros): "\(micros)"
        case .percent(let percent): quoted("\(percent)%")
        }
    }

    static func limit(_ reached: LimitReached) -> String {
        object(
            place(reached.scope, reached.window, reached.member, reached.feature)
                + [
                    ("hard", "\(reached.hardMicros)"), ("used", "\(reached.usedMicros)"),
                    ("needed", "\(reached.neededMicros)"),
                ])
    }

    static func refusal(_ refusal: Refusal) -> String {
        switch refusal {
        case .insufficientCredits(let needed, let available):
            object([("needed", "\(needed)"), ("available", "\(available)")])
        case .hardLimitReached(let reached): limit(reached)
        default: ""
        }
    }

    private static func place(
        _ scope: LimitScope, _ window: LimitWindow, _ member: String, _ feature: String
    ) -> [(String, String?)] {
        [
            ("scope", quoted(scope.name)), ("window", quoted("\(window)")),
            ("member", member.isEmpty ? nil : quoted(member)), ("feature", feature.isEmpty ? nil : quoted(feature)),
        ]
    }

    /// An object of those fields that have a value; empty where none has.
    private static func object(_ fields: [(String, String?)]) -> String {
        let present = fields.compactMap { name, value in value.map { "\(quoted(name)):\($0)" } }
        return present.isEmpty ? "" : "{" + present.joined(separator: ",") + "}"
    }

    /// RFC 8259, section 7.
    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

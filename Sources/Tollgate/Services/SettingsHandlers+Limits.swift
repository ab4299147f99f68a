import Engine
import Ledger
import Protobuf
import RPC
import TollgateSchema

extension SettingsHandlers {
    func setLimits(_ request: SetLimitsRequest, context: ServerContext) async throws -> SetLimitsResponse {
        let access = try context.tenantAccess()
        let limits = try checked { () throws(InvalidField) in try LimitFields.limits(request.limits) }
        // What was used already is looked up by the engine, which alone knows when nothing comes between.
        let change = SettingCommand.Change.limits(limits, zone: access.principal.timeZone, used: [])
        let settings = try await set(change, access, context)
        return .with { $0.settings = settings }
    }
}

/// Checks of limits as they come in.
enum LimitFields {
    /// The limits of a request, each of its own scope, subject, feature and window.
    static func limits(_ limits: [TollgateSchema.UsageLimit]) throws(InvalidField) -> [Ledger.UsageLimit] {
        guard limits.count <= Limits.maxUsageLimits else {
            throw InvalidField("limits", "has more than \(Limits.maxUsageLimits) entries")
        }
        var seen: Set<Place> = []
        var checked: [Ledger.UsageLimit] = []
        for (index, limit) in limits.enumerated() {
            let field = "limits[\(index)]"
            let made = try self.limit(limit, field)
            let place = Place(
                scope: made.scope, window: made.window, member: made.member, feature: made.feature)
            guard seen.insert(place).inserted else {
                throw InvalidField(field, "counts for the same, over the same time, as one before it")
            }
            checked.append(made)
        }
        return checked
    }

    private struct Place: Hashable {
        let scope: Ledger.LimitScope
        let window: Ledger.LimitWindow
        let member: String
        let feature: String
    }

    private static func limit(
        _ limit: TollgateSchema.UsageLimit, _ field: String
    ) throws(InvalidField) -> Ledger.UsageLimit {
        var made = Ledger.UsageLimit(
            scope: try scope(limit.scope, field), window: try window(limit.window, field),
            soft: try bound(limit.softMicros, limit.softPercent, field + ".soft"),
            hard: try bound(limit.hardMicros, limit.hardPercent, field + ".hard"), isEnforced: limit.enforce ?? true)
        switch made.scope {
        case .tenant:
            try require(limit.subject.isEmpty, field + ".subject", "must be empty for the whole tenant")
        case .feature: made.feature = try feature(limit.subject, field + ".subject")
        case .member, .memberFeature: made.member = try member(limit.subject, field + ".subject")
        }
        if made.scope == .memberFeature {
            made.feature = try feature(limit.feature, field + ".feature")
        } else {
            try require(limit.feature.isEmpty, field + ".feature", "must be empty but for a member's feature")
        }
        try checkOrder(made, field)
        return made
    }

    /// What is reached softly is not reached after what is reached hard. Credits and percent cannot be compared: what a
    /// percent is worth changes with the cycle.
    private static func checkOrder(_ limit: Ledger.UsageLimit, _ field: String) throws(InvalidField) {
        switch (limit.soft, limit.hard) {
        case (.micros(let soft), .micros(let hard)):
            try require(soft <= hard, field + ".hard_micros", "must not be below soft_micros")
        case (.percent(let soft), .percent(let hard)):
            try require(soft <= hard, field + ".hard_percent", "must not be below soft_percent")
        default: break
        }
    }

    private static func bound(_ micros: Int64, _ percent: Int32, _ field: String) throws(InvalidField) -> LimitBound {
        try require(micros >= 0, field + "_micros", "must not be negative")
        try require((0...Limits.maxLimitPercent).contains(percent), field + "_percent", "must be from 1 to 1,000")
        try require(micros == 0 || percent == 0, field + "_percent", "must not be set beside \(field)_micros")
        return micros > 0 ? .micros(micros) : percent > 0 ? .percent(Int64(percent)) : .none
    }

    private static func scope(
        _ scope: TollgateSchema.LimitScope, _ field: String
    ) throws(InvalidField) -> Ledger.LimitScope {
        switch scope {
        case .tenant: .tenant
        case .member: .member
        case .feature: .feature
        case .memberFeature: .memberFeature
        default: throw InvalidField(field + ".scope", "must be tenant, member, feature or a member's feature")
        }
    }

    private static func window(
        _ window: TollgateSchema.LimitWindow, _ field: String
    ) throws(InvalidField) -> Ledger.LimitWindow {
        switch window {
        case .day: .day
        case .week: .week
        case .unspecified, .cycle: .cycle
        default: throw InvalidField(field + ".window", "must be a day, a week or the cycle")
        }
    }

    private static func feature(_ text: String, _ field: String) throws(InvalidField) -> String {
        try name(text, field, maxBytes: Limits.maxFeatureBytes)
    }

    private static func member(_ text: String, _ field: String) throws(InvalidField) -> String {
        try name(text, field, maxBytes: Limits.maxActorBytes)
    }

    private static func name(_ text: String, _ field: String, maxBytes: Int) throws(InvalidField) -> String {
        try require(!text.isEmpty, field, "is missing")
        try require(text.utf8.count <= maxBytes, field, "has more than \(maxBytes) bytes")
        try require(!text.utf8.contains(where: TextRule.isControl), field, "has a control character")
        return text
    }

    private static func require(
        _ isRight: Bool, _ field: String, _ reason: @autoclosure () -> String
    ) throws(InvalidField) {
        if !isRight { throw InvalidField(field, reason()) }
    }
}

extension TollgateSchema.UsageLimit {
    init(_ limit: Ledger.UsageLimit) {
        self.init()
        scope =
            switch limit.scope {
            case .tenant: .tenant
            case .feature: .feature
            case .member: .member
            case .memberFeature: .memberFeature
            }
        window =
            switch limit.window {
            case .day: .day
            case .week: .week
            case .cycle: .cycle
            }
        subject = limit.scope == .feature ? limit.feature : limit.member
        if limit.scope == .memberFeature { feature = limit.feature }
        switch limit.soft {
        case .none: break
        case .micros(let micros): softMicros = micros
        case .percent(let percent): softPercent = Int32(percent)
        }
        switch limit.hard {
        case .none: break
        case .micros(let micros): hardMicros = micros
        case .percent(let percent): hardPercent = Int32(percent)
        }
        enforce = limit.isEnforced
    }
}

extension LimitStatus {
    init(_ reading: LimitReading) {
        self.init()
        limit = .init(reading.limit)
        consumedMicros = reading.consumed
        heldMicros = reading.held
        softMicrosInForce = reading.softMicros ?? 0
        hardMicrosInForce = reading.hardMicros
        state = .init([reading])
        windowStartTime = .init(reading.window.start)
        windowEndTime = .init(reading.window.end)
        wouldHaveRefused = reading.wouldHaveRefused
    }
}

extension LimitState {
    /// How use stands against these limits all told.
    init(_ readings: some Sequence<LimitReading>) {
        self = .none
        for reading in readings {
            if reading.isHardReached {
                self = .hardReached
                return
            }
            if reading.isSoftReached {
                self = .softReached
            } else if self == .none {
                self = .below
            }
        }
    }
}

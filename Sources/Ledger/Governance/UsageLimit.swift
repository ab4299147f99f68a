/// For whom a limit counts, in the order in which limits are asked. Raw values are stored for ever.
package enum LimitScope: UInt8, CaseIterable, Sendable, Comparable {
    case tenant = 1
    case feature = 2
    case member = 3
    case memberFeature = 4

    package static func < (a: LimitScope, b: LimitScope) -> Bool { a.rawValue < b.rawValue }

    /// As programs are told it.
    package var name: String { self == .memberFeature ? "member_feature" : "\(self)" }
}

/// Over what time a limit counts, in the order in which limits of one scope are asked. Raw values are stored for ever.
package enum LimitWindow: UInt8, CaseIterable, Sendable, Comparable {
    case day = 1
    case week = 2
    case cycle = 3

    package static func < (a: LimitWindow, b: LimitWindow) -> Bool { a.rawValue < b.rawValue }
}

/// How much may be used.
package enum LimitBound: Equatable, Sendable {
    case none
    case micros(Int64)
    /// Percent of the running cycle's allowance; not in force while there is none.
    case percent(Int64)
}

/// How much may be used within a window, and by whom.
package struct UsageLimit: Equatable, Sendable {
    package var scope: LimitScope
    package var window: LimitWindow
    /// Empty where it counts for all members.
    package var member: String
    /// Empty where it counts for all features.
    package var feature: String
    package var soft: LimitBound
    package var hard: LimitBound
    /// False for a limit on trial, which refuses nothing.
    package var isEnforced: Bool

    package init(
        scope: LimitScope, window: LimitWindow, member: String = "", feature: String = "", soft: LimitBound = .none,
        hard: LimitBound = .none, isEnforced: Bool = true
    ) {
        self.scope = scope
        self.window = window
        self.member = member
        self.feature = feature
        self.soft = soft
        self.hard = hard
        self.isEnforced = isEnforced
    }

    /// It has to do with a step for the feature and the member.
    package func counts(feature: String, member: String) -> Bool {
        switch scope {
        case .tenant: true
        case .feature: feature == self.feature
        case .member: member == self.member
        case .memberFeature: feature == self.feature && member == self.member
        }
    }
}

/// What a plan promises: a value that the book keeps, so that a tenant's cycles follow from its book and not from a catalog
/// that has changed since.
package struct PlanTerms: Equatable, Sendable {
    /// Its name in the catalog.
    package var name: String
    /// Given once, when a tenant subscribes for the first time.
    package var signUp: [SignUpCredits] = []
    /// Nil for a plan without an allowance.
    package var allowance: Allowance?
    /// When cycles turn; nil for a plan without cycles, which has no allowance either.
    package var cycle: CycleKind?
    /// Nil where nothing rolls over.
    package var rollover: Rollover?
    package var trial: Trial?
    /// In which states the allowance comes.
    package var counts: SubscriptionStates = [.trial, .active, .grandfathered, .pastDue]
    /// In which states packs may be bought.
    package var packs: SubscriptionStates = []
    /// Nil where use ends at zero.
    package var overage: Overage?

    package init(name: String) {
        self.name = name
    }

    package struct SignUpCredits: Equatable, Sendable {
        package var kind: GrantKind
        package var amountMicros: Int64
        /// Whole days of 24 hours after they are granted; nil for never.
        package var expiresAfterDays: Int64?

        package init(kind: GrantKind, amountMicros: Int64, expiresAfterDays: Int64?) {
            self.kind = kind
            self.amountMicros = amountMicros
            self.expiresAfterDays = expiresAfterDays
        }
    }

    package struct Allowance: Equatable, Sendable {
        package var kind: GrantKind
        package var amountMicros: Int64

        package init(kind: GrantKind, amountMicros: Int64) {
            self.kind = kind
            self.amountMicros = amountMicros
        }
    }

    package enum CycleKind: UInt8, Sendable {
        /// Turns with the calendar month.
        case calendarMonth = 1
        /// Turns on the day of the month on which the subscription began, or the month's last day where it has no such day.
        case anniversary = 2
    }

    /// What is left of an allowance goes on into the next cycle: where it is at least the minimum, up to the maximum.
    package struct Rollover: Equatable, Sendable {
        package var minimumMicros: Int64
        package var maximumMicros: Int64
        /// It expires at the end of this many cycles, from 1 for the one that it rolls into; nil for never.
        package var expiresAfterCycles: Int64?

        package init(minimumMicros: Int64, maximumMicros: Int64, expiresAfterCycles: Int64?) {
            self.minimumMicros = minimumMicros
            self.maximumMicros = maximumMicros
            self.expiresAfterCycles = expiresAfterCycles
        }
    }

    package struct Trial: Equatable, Sendable {
        /// Days of 24 hours.
        package var days: Int64
        package var amountMicros: Int64
        /// The state after it.
        package var then: SubscriptionState

        package init(days: Int64, amountMicros: Int64, then: SubscriptionState) {
            self.days = days
            self.amountMicros = amountMicros
            self.then = then
        }
    }

    /// Use that goes on past zero.
    package struct Overage: Equatable, Sendable {
        /// How far.
        package var capMicros: Int64
        /// What is owed at a cycle's end is billed in money and owed no more; false where the next grant pays it.
        package var isBilled: Bool

        package init(capMicros: Int64, isBilled: Bool) {
            self.capMicros = capMicros
            self.isBilled = isBilled
        }
    }
}

/// How a subscription stands. Raw values are stored for ever.
package enum SubscriptionState: UInt8, CaseIterable, Sendable {
    case trial = 1
    case active = 2
    case grandfathered = 3
    case canceled = 4
    case pastDue = 5
}

package struct SubscriptionStates: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package init(_ state: SubscriptionState) {
        rawValue = 1 << state.rawValue
    }

    package static let trial = SubscriptionStates(.trial)
    package static let active = SubscriptionStates(.active)
    package static let grandfathered = SubscriptionStates(.grandfathered)
    package static let canceled = SubscriptionStates(.canceled)
    package static let pastDue = SubscriptionStates(.pastDue)

    package func contains(_ state: SubscriptionState) -> Bool {
        contains(SubscriptionStates(state))
    }
}

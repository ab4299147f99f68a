/// A tenant's plan, how it stands, and the running cycle.
package struct Subscription: Equatable, Sendable {
    /// The plan as it promised when the cycle began, or when the plan was taken.
    package var terms: PlanTerms
    package var state: SubscriptionState
    /// The day of the month on which the first cycle that was no trial began, 1 to 31; 0 before it did.
    package var anchorDay: UInt8
    /// Nil where the plan has no cycles.
    package var cycle: Cycle?
    /// From the cycle's end on; nil where it stays.
    package var nextPlan: String?
    package var nextState: SubscriptionState?

    package struct Cycle: Equatable, Sendable {
        package var start: Instant
        /// The first moment of the next one.
        package var end: Instant
        /// What limits in percent are a part of.
        package var allowanceMicros: Int64
        /// The tenant's grants when it began: later ones are its own.
        package var grantsBefore: UInt32
        package var isTrial: Bool

        package init(start: Instant, end: Instant, allowanceMicros: Int64, grantsBefore: UInt32, isTrial: Bool) {
            self.start = start
            self.end = end
            self.allowanceMicros = allowanceMicros
            self.grantsBefore = grantsBefore
            self.isTrial = isTrial
        }
    }

    package init(
        terms: PlanTerms, state: SubscriptionState, anchorDay: UInt8 = 0, cycle: Cycle? = nil,
        nextPlan: String? = nil, nextState: SubscriptionState? = nil
    ) {
        self.terms = terms
        self.state = state
        self.anchorDay = anchorDay
        self.cycle = cycle
        self.nextPlan = nextPlan
        self.nextState = nextState
    }

    /// The plan from the running cycle's end on, empty for none.
    package var planAfterCycle: String { nextPlan ?? terms.name }

    /// The state from the running cycle's end on.
    package var stateAfterCycle: SubscriptionState {
        nextState ?? (cycle?.isTrial ?? false ? terms.trial?.then ?? .active : state)
    }

    /// What the state lets come of the plan's allowance.
    var allowanceMicros: Int64 {
        terms.counts.contains(state) ? terms.allowance?.amountMicros ?? 0 : 0
    }

    /// How far use may go on past zero.
    package var overageCapMicros: Int64 {
        terms.counts.contains(state) ? terms.overage?.capMicros ?? 0 : 0
    }

    package var mayBuyPacks: Bool { terms.packs.contains(state) }
}

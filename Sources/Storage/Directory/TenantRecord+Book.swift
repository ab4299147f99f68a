import Ledger

extension TenantRecord {
    /// Plan and subscription as the book has them.
    package mutating func take(_ governance: Governance) {
        guard let current = governance.subscription else {
            // A plan that was never taken is a label.
            if governance.hasSignedUp { plan = "" }
            subscription = .active
            next = nil
            return
        }
        plan = current.terms.name
        subscription = current.state
        timeZone = governance.zone
        guard let cycle = current.cycle else {
            next = nil
            return
        }
        let turn = Turn(plan: current.planAfterCycle, subscription: current.stateAfterCycle, at: cycle.end)
        next = turn.plan == plan && turn.subscription == subscription ? nil : turn
    }
}

import Ledger

/// The plans and zones of the simulated world: a table, whose terms change with the date.
final class PlanTable: BookRules {
    static let names = ["free", "pro", "trial", "owing", "billed"]
    static let zones = ["UTC", "East", "West"]

    /// From this moment on a few plans promise something else.
    let change: Instant

    init(change: Instant) { self.change = change }

    func offsetSeconds(of zone: String, at instant: Instant) -> Int64 {
        switch zone {
        case "East": 5 * 3_600 + 1_800
        // Summer comes and goes, half a year each.
        case "West": (instant.microseconds / Self.halfYear) % 2 == 0 ? -8 * 3_600 : -7 * 3_600
        default: 0
        }
    }

    private static let halfYear: Int64 = 182 * 24 * 3_600 * 1_000_000

    func terms(of plan: String, at instant: Instant) -> PlanTerms? {
        guard Self.names.contains(plan) else { return nil }
        var terms = PlanTerms(name: plan)
        terms.cycle = plan == "pro" ? .anniversary : .calendarMonth
        terms.allowance = .init(kind: .subscription, amountMicros: instant < change ? 3_000 : 4_000)
        switch plan {
        case "free":
            terms.signUp = [.init(kind: .complimentary, amountMicros: 500, expiresAfterDays: nil)]
        case "pro":
            terms.signUp = [.init(kind: .gifted, amountMicros: 200, expiresAfterDays: 9)]
            terms.rollover = .init(minimumMicros: 10, maximumMicros: 1_000, expiresAfterCycles: 2)
        case "trial":
            terms.trial = .init(days: 3, amountMicros: 700, then: .active)
        case "owing":
            terms.overage = .init(capMicros: Self.overageCap, isBilled: false)
        default:
            terms.overage = .init(capMicros: Self.overageCap, isBilled: true)
        }
        return terms
    }

    /// The most that any plan lets a tenant owe.
    static let overageCap: Int64 = 800
}

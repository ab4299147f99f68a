/// What the core must be told because it has no calendar and no catalog: handed in with each step, as time is. What
/// follows from it is written into the entries, so that a replay asks for none of it.
package protocol BookRules: AnyObject, Sendable {
    /// Seconds east of UTC in a time zone at a moment. The zone was checked when it came in.
    func offsetSeconds(of zone: String, at instant: Instant) -> Int64

    /// What the plan promised at that moment; nil where the catalog did not have it.
    func terms(of plan: String, at instant: Instant) -> PlanTerms?
}

/// UTC and no plans.
package final class PlainRules: BookRules {
    package static let shared = PlainRules()

    package func offsetSeconds(of zone: String, at instant: Instant) -> Int64 { 0 }
    package func terms(of plan: String, at instant: Instant) -> PlanTerms? { nil }
}

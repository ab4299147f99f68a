import Ledger
import Locks

/// When the calendar month of a moment began, by time zone. It takes some look-ups of the zone's offset, so the month of
/// each zone is remembered for as long as it lasts.
final class MonthCalendar: Sendable {
    private struct Months {
        /// The one that was asked for last.
        var recent: (timeZone: String, month: LimitWindows.Span)?
        var all: [String: LimitWindows.Span] = [:]
    }

    private let rules: any BookRules
    private let months = Protected(Months())

    init(_ rules: any BookRules) {
        self.rules = rules
    }

    /// - Parameter timeZone: an identifier of the IANA database that was checked when it came in.
    func start(of instant: Instant, timeZone: String) -> Instant {
        months.withLock { months in
            if let recent = months.recent, recent.timeZone == timeZone, recent.month.contains(instant) {
                return recent.month.start
            }
            let month: LimitWindows.Span
            if let known = months.all[timeZone], known.contains(instant) {
                month = known
            } else {
                month = .month(of: instant, zone: timeZone, rules)
                if months.all.count >= Limits.maxRememberedTimeZones { months.all.removeAll() }
                months.all[timeZone] = month
            }
            months.recent = (timeZone, month)
            return month.start
        }
    }
}

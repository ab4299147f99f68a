import Foundation
import Ledger
import Synchronization

/// When the calendar month of a moment began, by time zone. Foundation's calendar is slow, so the month of each zone is
/// remembered for as long as it lasts.
final class MonthCalendar: Sendable {
    private struct Month {
        let start: Instant
        let end: Instant

        func contains(_ instant: Instant) -> Bool { start <= instant && instant < end }
    }

    private struct Months {
        /// The one that was asked for last.
        var recent: (timeZone: String, month: Month)?
        var all: [String: Month] = [:]
    }

    private let months = Mutex(Months())

    /// - Parameter timeZone: an identifier of the IANA database that was checked when it came in.
    func start(of instant: Instant, timeZone: String) -> Instant {
        months.withLock { months in
            if let recent = months.recent, recent.timeZone == timeZone, recent.month.contains(instant) {
                return recent.month.start
            }
            let month: Month
            if let known = months.all[timeZone], known.contains(instant) {
                month = known
            } else {
                month = Self.month(of: instant, timeZone: timeZone)
                if months.all.count >= Limits.maxRememberedTimeZones { months.all.removeAll() }
                months.all[timeZone] = month
            }
            months.recent = (timeZone, month)
            return month.start
        }
    }

    private static func month(of instant: Instant, timeZone: String) -> Month {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(identifier: timeZone) ?? .gmt
        let date = Date(timeIntervalSince1970: Double(instant.microseconds) / 1_000_000)
        guard let interval = calendar.dateInterval(of: .month, for: date) else {
            preconditionFailure("every moment belongs to a month")
        }
        return Month(start: Instant(interval.start), end: Instant(interval.end))
    }
}

extension Instant {
    fileprivate init(_ date: Date) {
        self.init(microseconds: Int64((date.timeIntervalSince1970 * 1_000_000).rounded()))
    }
}

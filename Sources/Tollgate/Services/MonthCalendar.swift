import Foundation
import Ledger
import Synchronization

/// When the calendar month of a moment began, by time zone. Foundation's calendar is slow, so the month of each zone is
/// remembered for as long as it lasts.
final class MonthCalendar: Sendable {
    private struct Month {
        let start: Instant
        let end: Instant
    }

    private let months = Mutex<[String: Month]>([:])

    /// - Parameter timeZone: an identifier of the IANA database that was checked when it came in.
    func start(of instant: Instant, timeZone: String) -> Instant {
        months.withLock { months in
            if let month = months[timeZone], month.start <= instant, instant < month.end { return month.start }
            let month = Self.month(of: instant, timeZone: timeZone)
            if months.count >= Limits.maxRememberedTimeZones { months.removeAll() }
            months[timeZone] = month
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

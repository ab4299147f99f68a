/// A day of the Gregorian calendar, and when it begins in a time zone. Pure arithmetic: the zone's offsets come with the
/// rules.
struct CivilDate: Equatable {
    /// Days since 1970-01-01.
    let days: Int64

    init(days: Int64) {
        self.days = days
    }

    /// The day that a moment belongs to.
    init(_ instant: Instant, zone: String, _ rules: any BookRules) {
        let local = instant.microseconds &+ rules.offsetSeconds(of: zone, at: instant) * 1_000_000
        days = local.flooredQuotient(by: Self.microseconds)
    }

    /// - Parameters:
    ///   - month: from 1; others than 1 to 12 count on into the years beside.
    ///   - day: where the month has fewer days, its last one.
    init(year: Int64, month: Int64, clampedDay day: Int64) {
        let years = (month - 1).flooredQuotient(by: 12)
        let (year, month) = (year + years, month - years * 12)
        let first = Self.days(year: year, month: month)
        let next = month == 12 ? Self.days(year: year + 1, month: 1) : Self.days(year: year, month: month + 1)
        days = first + min(day, next - first) - 1
    }

    static let microseconds: Int64 = 24 * 3600 * 1_000_000

    /// Days from 1970-01-01 to the first of a month: the era of 400 years has 146,097 days, and years are counted from
    /// March, so that the leap day is a year's last.
    private static func days(year: Int64, month: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted.flooredQuotient(by: 400)
        let yearOfEra = shifted - era * 400
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// Year, month from 1, and day from 1.
    var parts: (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = shifted.flooredQuotient(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    /// 0 for Monday.
    var weekday: Int64 {
        let shifted = days + 3
        return shifted - shifted.flooredQuotient(by: 7) * 7
    }

    /// The first moment of the day: where its midnight does not exist, the first one after the gap; where it exists twice,
    /// the earlier.
    func start(in zone: String, _ rules: any BookRules) -> Instant {
        let local = days * Self.microseconds
        func offset(_ microseconds: Int64) -> Int64 {
            rules.offsetSeconds(of: zone, at: Instant(microseconds: microseconds)) * 1_000_000
        }
        // No zone changes its offset twice within two days.
        let before = offset(local - Self.microseconds)
        let after = offset(local + Self.microseconds)
        if offset(local - before) == before { return Instant(microseconds: local - before) }
        if offset(local - after) == after { return Instant(microseconds: local - after) }
        // In the gap: the change itself, found between a moment before it and one after it.
        var (low, high) = (local - Self.microseconds, local + Self.microseconds)
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if offset(middle) == before { low = middle } else { high = middle }
        }
        return Instant(microseconds: high)
    }
}

extension Int64 {
    /// Towards less, for numbers of either sign.
    fileprivate func flooredQuotient(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}

// MARK: - Where cycles and windows begin

extension PlanTerms.CycleKind {
    /// The first boundary after a moment.
    func boundary(after instant: Instant, anchorDay: UInt8, zone: String, _ rules: any BookRules) -> Instant {
        let (year, month, _) = CivilDate(instant, zone: zone, rules).parts
        let day = self == .calendarMonth ? 1 : Int64(anchorDay)
        for offset in Int64(0)...2 {
            let start = CivilDate(year: year, month: month + offset, clampedDay: day).start(in: zone, rules)
            if start > instant { return start }
        }
        preconditionFailure("every month has a boundary")
    }
}

extension LimitWindows.Span {
    /// The day, week or calendar month that a moment belongs to.
    static func containing(
        _ instant: Instant, _ window: LimitWindow, zone: String, _ rules: any BookRules
    ) -> LimitWindows.Span {
        let date = CivilDate(instant, zone: zone, rules)
        let (first, next): (CivilDate, CivilDate)
        switch window {
        case .day:
            (first, next) = (date, CivilDate(days: date.days + 1))
        case .week:
            let monday = date.days - date.weekday
            (first, next) = (CivilDate(days: monday), CivilDate(days: monday + 7))
        case .cycle:
            return .month(of: date, zone: zone, rules)
        }
        return LimitWindows.Span(start: first.start(in: zone, rules), end: next.start(in: zone, rules))
    }

    /// The calendar month that a moment belongs to.
    package static func month(of instant: Instant, zone: String, _ rules: any BookRules) -> LimitWindows.Span {
        month(of: CivilDate(instant, zone: zone, rules), zone: zone, rules)
    }

    private static func month(of date: CivilDate, zone: String, _ rules: any BookRules) -> LimitWindows.Span {
        let (year, month, _) = date.parts
        return LimitWindows.Span(
            start: CivilDate(year: year, month: month, clampedDay: 1).start(in: zone, rules),
            end: CivilDate(year: year, month: month + 1, clampedDay: 1).start(in: zone, rules))
    }
}

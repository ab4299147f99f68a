import Protobuf

/// Moments as text: RFC 3339 (`2026-03-01T12:00:00.25Z`, `+02:00`), also with a blank for the `T` and without a zone, as traces have it.
package enum TimeText {
    /// Microseconds since 1970; digits beyond them are dropped. Without a zone the time is UTC, unless one is required.
    package static func microseconds(_ text: some StringProtocol, requiresZone: Bool = false) -> Int64? {
        var text = Array(text.utf8)[...]
        guard let year = number(&text, digits: 4), take(&text, "-"), let month = number(&text, digits: 2),
            take(&text, "-"), let day = number(&text, digits: 2),
            take(&text, "T") || take(&text, "t") || take(&text, " "),
            let hour = number(&text, digits: 2), take(&text, ":"), let minute = number(&text, digits: 2),
            take(&text, ":"), let second = number(&text, digits: 2),
            isDay(year: year, month: month, day: day), hour < 24, minute < 60, second < 60
        else { return nil }
        guard let fraction = microsecondsOfFraction(&text), let zone = offsetSeconds(&text, isRequired: requiresZone),
            text.isEmpty
        else { return nil }
        let days = daysSinceEpoch(year: year, month: month, day: day)
        return (((days * 24 + hour) * 60 + minute) * 60 + second - zone) * 1_000_000 + fraction
    }

    /// A moment with its zone, as calls take it.
    package static func timestamp(_ text: String) -> Timestamp? {
        guard let microseconds = microseconds(text, requiresZone: true) else { return nil }
        let (seconds, rest) = floorDivide(microseconds, by: 1_000_000)
        return Timestamp(seconds: seconds, nanos: Int32(rest) * 1_000)
    }

    private static func take(_ text: inout ArraySlice<UInt8>, _ character: Unicode.Scalar) -> Bool {
        guard text.first == UInt8(ascii: character) else { return false }
        text.removeFirst()
        return true
    }

    private static func number(_ text: inout ArraySlice<UInt8>, digits: Int) -> Int64? {
        guard text.count >= digits, text.prefix(digits).allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        let value = text.prefix(digits).reduce(Int64(0)) { $0 * 10 + Int64($1 - 0x30) }
        text.removeFirst(digits)
        return value
    }

    private static func microsecondsOfFraction(_ text: inout ArraySlice<UInt8>) -> Int64? {
        guard take(&text, ".") else { return 0 }
        let digits = text.prefix { (0x30...0x39).contains($0) }
        guard (1...9).contains(digits.count) else { return nil }
        text.removeFirst(digits.count)
        var value: Int64 = 0
        for position in 0..<6 {
            let index = digits.startIndex + position
            value = value * 10 + (index < digits.endIndex ? Int64(digits[index] - 0x30) : 0)
        }
        return value
    }

    private static func offsetSeconds(_ text: inout ArraySlice<UInt8>, isRequired: Bool) -> Int64? {
        if text.isEmpty { return isRequired ? nil : 0 }
        if take(&text, "Z") || take(&text, "z") { return 0 }
        let sign: Int64
        if take(&text, "+") {
            sign = 1
        } else if take(&text, "-") {
            sign = -1
        } else {
            return nil
        }
        guard let hours = number(&text, digits: 2), take(&text, ":"), let minutes = number(&text, digits: 2),
            hours < 24, minutes < 60
        else { return nil }
        return sign * (hours * 3_600 + minutes * 60)
    }

    private static func isDay(year: Int64, month: Int64, day: Int64) -> Bool {
        guard (1...12).contains(month), day >= 1 else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        return day <= lengths[Int(month) - 1]
    }

    /// Days of the Gregorian calendar, counted in eras of 400 years that begin in March, so that the leap day comes last.
    private static func daysSinceEpoch(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = floorDivide(shifted, by: 400)
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func floorDivide(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

/// The value of `grpc-timeout`: one to eight digits and a unit (gRPC over HTTP/2, "Timeout").
package enum CallTimeout {
    /// The nanoseconds that a header allows, or nil where it is malformed. Whatever does not fit is `Int64.max`.
    package static func parse(_ text: some BidirectionalCollection<UInt8>) -> Int64? {
        guard let unit = text.last, let factor = nanoseconds(perUnit: unit) else { return nil }
        let digits = text.dropLast()
        guard (1...8).contains(digits.count) else { return nil }
        var count: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            count = count * 10 + Int64(digit - UInt8(ascii: "0"))
        }
        let (total, overflow) = count.multipliedReportingOverflow(by: factor)
        return overflow ? .max : total
    }

    /// The header for a time left, in the finest unit that eight digits can say, rounded up so that a call never gets
    /// less than it was given. What is not above zero becomes `0n`.
    package static func format(nanoseconds: Int64) -> String {
        guard nanoseconds > 0 else { return "0n" }
        for (unit, factor) in units {
            let count = (nanoseconds - 1) / factor + 1
            if count <= 99_999_999 { return "\(count)\(unit)" }
        }
        return "99999999H"
    }

    /// All units from the finest.
    private static let units: [(Character, Int64)] = [
        ("n", 1), ("u", 1_000), ("m", 1_000_000), ("S", 1_000_000_000), ("M", 60_000_000_000), ("H", 3_600_000_000_000),
    ]

    /// How long a unit is.
    private static func nanoseconds(perUnit unit: UInt8) -> Int64? {
        switch unit {
        case UInt8(ascii: "n"): 1
        case UInt8(ascii: "u"): 1_000
        case UInt8(ascii: "m"): 1_000_000
        case UInt8(ascii: "S"): 1_000_000_000
        case UInt8(ascii: "M"): 60_000_000_000
        case UInt8(ascii: "H"): 3_600_000_000_000
        default: nil
        }
    }
}

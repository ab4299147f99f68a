/// Amounts as people write them: credits with up to six decimals, kept as micros.
enum Amount {
    /// Micros in one credit.
    static let microsPerCredit: Int64 = 1_000_000

    /// Reads `1000`, `1,000.5` or `0.000001` credits; nil for anything else, for 0, and for what 64 bits do not hold.
    static func micros(credits text: String) -> Int64? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = digits(parts[0].filter { $0 != "," }), !parts[0].isEmpty, parts[0].first != "," else {
            return nil
        }
        var fraction: Int64 = 0
        if parts.count == 2 {
            guard (1...6).contains(parts[1].utf8.count), let part = digits(String(parts[1])) else { return nil }
            fraction = part
            for _ in parts[1].utf8.count..<6 { fraction *= 10 }
        }
        let (product, tooLarge) = whole.multipliedReportingOverflow(by: microsPerCredit)
        let (sum, overflow) = product.addingReportingOverflow(fraction)
        return tooLarge || overflow || sum == 0 ? nil : sum
    }

    /// An amount in credits, such as `42,805.195` or `-0.5`: no more decimals than it has.
    static func credits(micros: Int64) -> String {
        let magnitude = micros.magnitude
        let (whole, rest) = magnitude.quotientAndRemainder(dividingBy: UInt64(microsPerCredit))
        var text = (micros < 0 ? "-" : "") + grouped(whole)
        if rest > 0 {
            var decimals = String(rest)
            decimals = String(repeating: "0", count: 6 - decimals.count) + decimals
            while decimals.hasSuffix("0") { decimals.removeLast() }
            text += "." + decimals
        }
        return text
    }

    private static func digits(_ text: String) -> Int64? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int64(text) : nil
    }
}

/// A number with commas between its thousands.
func grouped(_ number: some BinaryInteger) -> String {
    let digits = Array(String(number.magnitude))
    var text = number < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
        if index > 0, (digits.count - index) % 3 == 0 { text += "," }
        text.append(digit)
    }
    return text
}

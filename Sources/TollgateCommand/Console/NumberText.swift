/// A duration as people read it, with three digits that count: `850 ns`, `92.4 µs`, `1.31 ms`, `12.0 s`.
func durationText(ns: Int64) -> String {
    let units: [(String, Double)] = [("ns", 1), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)]
    let value = Double(ns)
    let unit = units.last { value >= $0.1 } ?? units[0]
    return decimal(value / unit.1, digits: unit.1 == 1 ? 0 : value / unit.1 < 10 ? 2 : 1) + " " + unit.0
}

/// A number with so many decimals.
func decimal(_ value: Double, digits: Int) -> String {
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int64((value * scale).rounded())
    guard digits > 0 else { return grouped(scaled) }
    let (whole, rest) = scaled.magnitude.quotientAndRemainder(dividingBy: UInt64(scale))
    let decimals = String(rest)
    return (scaled < 0 ? "-" : "") + grouped(whole) + "." + String(repeating: "0", count: digits - decimals.count)
        + decimals
}

/// Counts durations in a fixed space: 16 buckets for each power of two nanoseconds, so that a quantile is off by at most 1/16.
struct LatencyHistogram: Sendable {
    private static let bucketsPerPower = 16
    private static let powerBits = 4

    private var counts = [UInt64](repeating: 0, count: 61 * bucketsPerPower)
    /// How many durations were counted.
    private(set) var count: UInt64 = 0
    /// The longest of them, exactly.
    private(set) var maxNs: Int64 = 0

    /// Counts one duration; a negative one as 0.
    mutating func record(_ durationNs: Int64) {
        let value = UInt64(max(0, durationNs))
        counts[Self.bucket(of: value)] += 1
        count += 1
        maxNs = max(maxNs, durationNs)
    }

    /// The duration that `part` (0 to 1) of all do not exceed, to the precision of its bucket; 0 where none was counted.
    func quantileNs(_ part: Double) -> Int64 {
        guard count > 0 else { return 0 }
        let rank = max(1, UInt64((part * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for (bucket, inBucket) in counts.enumerated() {
            seen += inBucket
            if seen >= rank { return min(maxNs, Int64(Self.highest(in: bucket))) }
        }
        return maxNs
    }

    /// Values below 16 have a bucket each; above, the four bits after the leading one choose it.
    private static func bucket(of value: UInt64) -> Int {
        guard value >= UInt64(bucketsPerPower) else { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - powerBits
        return (shift + 1) * bucketsPerPower + Int(value >> UInt64(shift)) - bucketsPerPower
    }

    private static func highest(in bucket: Int) -> UInt64 {
        guard bucket >= bucketsPerPower else { return UInt64(bucket) }
        let shift = UInt64(bucket / bucketsPerPower - 1)
        let lead = UInt64(bucket % bucketsPerPower + bucketsPerPower)
        return (lead << shift) + (1 << shift) - 1
    }
}

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

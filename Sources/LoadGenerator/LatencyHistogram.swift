/// Counts durations in a fixed space: 128 buckets for each power of two nanoseconds, so that a quantile is off by less than 1 %.
package struct LatencyHistogram: Sendable {
    private static let powerBits = 7
    private static let bucketsPerPower = 1 << powerBits

    private var counts = [UInt64](repeating: 0, count: (64 - powerBits) * bucketsPerPower)
    /// How many durations were counted.
    package private(set) var count: UInt64 = 0
    /// The longest of them, exactly.
    package private(set) var maxNs: Int64 = 0

    package init() {}

    /// Counts one duration; a negative one as 0.
    package mutating func record(_ durationNs: Int64) {
        counts[Self.bucket(of: UInt64(max(0, durationNs)))] += 1
        count += 1
        maxNs = max(maxNs, durationNs)
    }

    /// The duration that `part` (0 to 1) of all do not exceed, to the precision of its bucket; 0 where none was counted.
    package func quantileNs(_ part: Double) -> Int64 {
        guard count > 0 else { return 0 }
        let rank = max(1, UInt64((part * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for (bucket, inBucket) in counts.enumerated() {
            seen += inBucket
            if seen >= rank { return min(maxNs, Int64(Self.highest(in: bucket))) }
        }
        return maxNs
    }

    /// Values below 128 have a bucket each; above, the seven bits after the leading one choose it.
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

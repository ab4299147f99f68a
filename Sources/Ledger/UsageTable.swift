/// What was consumed by quarter of an hour, for the last 62 days of the book's own time.
struct UsageTable: Sendable {
    /// Sorted by quarter of an hour.
    private(set) var buckets: [UsageBucket]

    init(_ buckets: [UsageBucket] = []) {
        self.buckets = buckets
    }

    /// Entries come in order of time.
    mutating func add(_ consumed: Int64, at instant: Instant) {
        let quarterHour = UsageBucket.quarterHour(of: instant)
        if let last = buckets.last, last.quarterHour == quarterHour {
            // Every bucket is the difference of two totals of the book, so it fits.
            buckets[buckets.count - 1].consumed = last.consumed &+ consumed
        } else {
            buckets.append(UsageBucket(quarterHour: quarterHour, consumed: consumed))
            cut(at: Self.oldest(at: instant))
        }
    }

    /// The sum from the quarter of an hour that `since` belongs to.
    func consumed(since: Instant, at now: Instant) -> Int64 {
        let from = max(UsageBucket.quarterHour(of: since), Self.oldest(at: now))
        var sum: Int64 = 0
        for bucket in buckets.reversed() {
            if bucket.quarterHour < from { break }
            sum &+= bucket.consumed
        }
        return sum
    }

    /// Those of the last 62 days.
    func recent(at now: Instant) -> [UsageBucket] {
        let oldest = Self.oldest(at: now)
        return Array(buckets.drop { $0.quarterHour < oldest })
    }

    private mutating func cut(at oldest: Int64) {
        let kept = Int(Limits.usageMemoryMicroseconds / UsageBucket.lengthMicroseconds)
        guard buckets.count > kept + Limits.maxUsageSlack else { return }
        buckets.removeFirst(buckets.firstIndex { $0.quarterHour >= oldest } ?? buckets.count)
    }

    private static func oldest(at now: Instant) -> Int64 {
        UsageBucket.quarterHour(of: now.advanced(microseconds: -Limits.usageMemoryMicroseconds))
    }
}

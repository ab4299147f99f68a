/// A budget: so many at once, then so many a second.
package struct TokenBucket {
    private let burst: Int64
    private let perSecond: Int64
    private var tokens: Int64
    private var filledNs: Int64

    package init(burst: Int, perSecond: Int, nowNs: Int64) {
        self.burst = Int64(max(1, burst))
        self.perSecond = Int64(max(1, perSecond))
        tokens = self.burst
        filledNs = nowNs
    }

    /// Takes one; false where none is left.
    package mutating func take(nowNs: Int64) -> Bool {
        if tokens == 0 || nowNs - filledNs >= 1_000_000_000 { refill(nowNs: nowNs) }
        guard tokens > 0 else { return false }
        tokens -= 1
        return true
    }

    /// More than an eighth is gone.
    var isWornDown: Bool { tokens < burst - burst / 8 }

    /// Brings one back.
    package mutating func give() { tokens = min(burst, tokens + 1) }

    /// Whether it is as a new one would be.
    package mutating func isFull(nowNs: Int64) -> Bool {
        refill(nowNs: nowNs)
        return tokens == burst
    }

    /// Takes so many, or all that are left and says false; fewer than none gives some back.
    mutating func take(_ count: Int, nowNs: Int64) -> Bool {
        guard count > 0 else {
            tokens = min(burst, tokens - Int64(count))
            return true
        }
        if tokens < count || nowNs - filledNs >= 1_000_000_000 { refill(nowNs: nowNs) }
        tokens -= Int64(count)
        guard tokens < 0 else { return true }
        tokens = 0
        return false
    }

    /// Whether it is empty, and no token has come back yet.
    package mutating func isEmpty(nowNs: Int64) -> Bool {
        if tokens == 0 { refill(nowNs: nowNs) }
        return tokens == 0
    }

    /// Whole tokens only; the rest of the time counts for the next one.
    private mutating func refill(nowNs: Int64) {
        let nsPerToken = 1_000_000_000 / perSecond
        let gained = (nowNs - filledNs) / max(1, nsPerToken)
        guard gained > 0 else { return }
        tokens = min(burst, tokens + gained)
        filledNs += gained * nsPerToken
    }
}

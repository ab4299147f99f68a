/// A budget: so many at once, then so many a second.
struct TokenBucket {
    private let burst: Int64
    private let perSecond: Int64
    private var tokens: Int64
    private var filledNs: Int64

    init(burst: Int, perSecond: Int, nowNs: Int64) {
        self.burst = Int64(max(1, burst))
        self.perSecond = Int64(max(1, perSecond))
        tokens = self.burst
        filledNs = nowNs
    }

    /// Takes one; false where none is left.
    mutating func take(nowNs: Int64) -> Bool {
        if tokens == 0 || nowNs - filledNs >= 1_000_000_000 { refill(nowNs: nowNs) }
        guard tokens > 0 else { return false }
        tokens -= 1
        return true
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

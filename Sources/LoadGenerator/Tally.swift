/// What a run counts.
struct Tally {
    /// Whether what ends now counts.
    var isMeasuring = false
    private(set) var calls = 0
    /// Calls that were answered as they should in the whole run.
    private(set) var allCalls = 0
    private(set) var errors = 0
    private(set) var firstError: String?
    private(set) var latencies = LatencyHistogram()
    /// Of a run with a deadline: calls that the server refused, that were answered after it, and that could not be begun
    /// before it.
    private(set) var refused = 0
    private(set) var late = 0
    private(set) var unsent = 0

    /// Whether the text of an error is still of interest.
    var wantsErrorText: Bool { firstError == nil }

    /// Counts a call that was answered as it should.
    @inline(__always)
    mutating func countAnswered(afterNs: Int64) {
        allCalls += 1
        guard isMeasuring else { return }
        calls += 1
        latencies.record(afterNs)
    }

    mutating func countRefused() { if isMeasuring { refused += 1 } }

    mutating func countLate() { if isMeasuring { late += 1 } }

    mutating func countUnsent(_ count: Int) { if isMeasuring { unsent += count } }

    /// Counts a call that failed, whenever that was.
    mutating func countFailed(_ fault: String) {
        errors += 1
        if firstError == nil { firstError = String(fault.prefix(Limits.errorTextCountMax)) }
    }
}

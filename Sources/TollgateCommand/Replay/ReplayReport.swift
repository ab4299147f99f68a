import LoadGenerator

/// What came of a replay.
struct ReplayReport: Sendable {
    /// Rows of the trace that were to be metered.
    var rows = 0
    /// Rows whose commit was answered.
    var meteredRows = 0
    /// Rows that a step of was refused or failed.
    var failedRows = 0
    /// The sum of what the commits answered.
    var chargedMicros: Int64 = 0
    /// Steps that were answered with success.
    var steps = 0
    /// Steps among those that had been done before.
    var replayedSteps = 0
    /// How often a step was sent again because no answer had come.
    var retries = 0
    /// From the first step to the last answer.
    var elapsedNs: Int64 = 0
    /// How long reserves took, from the first time they were sent.
    var reserveLatency = LatencyHistogram()
    /// How long commits took, likewise.
    var commitLatency = LatencyHistogram()
    /// Failed rows by the reason of their error, with the first error's text.
    var failures: [String: (count: Int, example: String)] = [:]
    /// Why the replay ended before its last row.
    var stopped: String?

    /// Whether every row was metered.
    var isComplete: Bool { meteredRows == rows }

    /// Steps that were answered in a second.
    var stepsPerSecond: Double { elapsedNs > 0 ? Double(steps) / (Double(elapsedNs) / 1e9) : 0 }
}

extension ReplayReport {
    /// The report for people.
    func text(indent: Int = 0) -> String {
        var pairs = [
            ("calls", "\(grouped(meteredRows)) of \(grouped(rows)) metered"),
            ("charged", "\(Amount.credits(micros: chargedMicros)) credits (\(grouped(chargedMicros)) micros)"),
            ("replayed", "\(grouped(replayedSteps)) of \(grouped(steps)) steps had been done before"),
            ("failed", "\(grouped(failedRows)) calls"),
            ("sent again", "\(grouped(retries)) steps"),
            ("elapsed", durationText(ns: elapsedNs)),
            ("throughput", "\(grouped(Int(stepsPerSecond))) steps/s"),
        ]
        pairs += [("reserve", latencyText(reserveLatency)), ("commit", latencyText(commitLatency))]
        return listing(pairs.map { (name: $0.0, value: $0.1) }, indent: indent)
    }

    private func latencyText(_ histogram: LatencyHistogram) -> String {
        let quantiles: [(String, Double)] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)]
        let parts = quantiles.map {
            $0.0 + " " + padded(durationText(ns: histogram.quantileNs($0.1)), to: 9)
        }
        return (parts + ["max " + durationText(ns: histogram.maxNs)]).joined(separator: " ")
    }

    /// One line for each kind of failure, the most frequent first.
    var failureLines: [String] {
        let ordered = failures.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
        return ordered.map { "\(grouped($0.value.count)) calls failed with \($0.key): \($0.value.example)" }
    }

    /// The report for programs.
    var json: JSONText {
        .object([
            ("rows", .integer(Int64(rows))), ("meteredRows", .integer(Int64(meteredRows))),
            ("failedRows", .integer(Int64(failedRows))), ("chargedMicros", .integer(chargedMicros)),
            ("chargedCredits", .string(Amount.credits(micros: chargedMicros).filter { $0 != "," })),
            ("steps", .integer(Int64(steps))), ("replayedSteps", .integer(Int64(replayedSteps))),
            ("retries", .integer(Int64(retries))), ("elapsedSeconds", .decimal(Double(elapsedNs) / 1e9)),
            ("stepsPerSecond", .decimal(stepsPerSecond)), ("reserveLatencyUs", latencyJSON(reserveLatency)),
            ("commitLatencyUs", latencyJSON(commitLatency)),
            (
                "failures",
                .object(failures.sorted { $0.key < $1.key }.map { ($0.key, .integer(Int64($0.value.count))) })
            ),
            ("stopped", stopped.map { .string($0) } ?? .null),
        ])
    }

    private func latencyJSON(_ histogram: LatencyHistogram) -> JSONText {
        func microseconds(_ ns: Int64) -> JSONText { .decimal(Double(ns) / 1e3) }
        return .object([
            ("count", .integer(Int64(histogram.count))), ("p50", microseconds(histogram.quantileNs(0.5))),
            ("p90", microseconds(histogram.quantileNs(0.9))), ("p99", microseconds(histogram.quantileNs(0.99))),
            ("max", microseconds(histogram.maxNs)),
        ])
    }
}

import LoadGenerator

extension LoadReport {
    /// The report for programs.
    var json: JSONText {
        var members: [(String, JSONText)] = [
            ("work", .string(plan.work.rawValue)), ("connections", .integer(Int64(plan.connections))),
            ("in_flight", .integer(Int64(plan.inFlight))), ("tenants", .integer(Int64(plan.tenants))),
            ("seconds", .decimal(Double(measuredNs) / 1e9)), ("steps", .integer(Int64(steps))),
            ("steps_in_all", .integer(Int64(stepsInAll))), ("calls", .integer(Int64(calls))),
            ("steps_per_second", .decimal(stepsPerSecond)),
            ("errors", .integer(Int64(errors))), ("first_error", firstError.map { .string($0) } ?? .null),
            ("latency_us", latencies.json),
            ("client_cpu_us_per_step", .decimal(cpuUsPerStep)),
        ]
        if let rate = plan.stepsPerSecond { members.append(("rate", .integer(Int64(rate)))) }
        if let deadlineNs = plan.deadlineNs {
            members += [
                ("deadline_ms", .integer(deadlineNs / 1_000_000)), ("refused", .integer(Int64(refused))),
                ("late", .integer(Int64(late))), ("unsent", .integer(Int64(unsent))),
            ]
        }
        if let modest {
            members.append(
                (
                    "modest",
                    .object([
                        ("calls", .integer(Int64(modest.calls))), ("refused", .integer(Int64(modest.refused))),
                        ("late", .integer(Int64(modest.late))), ("latency_us", modest.latencies.json),
                    ])
                ))
        }
        if plan.work == .batch { members.append(("batch_size", .integer(Int64(plan.batchSize)))) }
        return .object(members)
    }

    /// The report for people.
    var text: String {
        var pairs = [
            ("work", plan.work.rawValue),
            ("in flight", "\(grouped(plan.connections)) connections x \(grouped(plan.inFlight))"),
            ("tenants", grouped(plan.tenants)),
            ("measured", durationText(ns: measuredNs)),
            ("steps", "\(grouped(steps)) in \(grouped(calls)) calls"),
            ("speed", "\(decimal(stepsPerSecond, digits: 0)) steps/s"),
            ("latency", latencies.text),
            ("client CPU", "\(decimal(cpuUsPerStep, digits: 2)) µs per step"),
            ("errors", grouped(errors)),
        ]
        if plan.deadlineNs != nil {
            pairs.append(("refused", "\(grouped(refused)); late \(grouped(late)), never sent \(grouped(unsent))"))
        }
        if let modest {
            pairs.append(
                (
                    "modest",
                    "\(grouped(modest.calls)) steps, \(grouped(modest.refused)) refused  \(modest.latencies.text)"
                ))
        }
        if let firstError { pairs.append(("first error", firstError)) }
        return listing(pairs)
    }
}

extension LoadGenerator.LatencyHistogram {
    /// The quantiles that are shown, for programs: in microseconds.
    var json: JSONText { .object(quantiles.map { ($0.name, .decimal(Double($0.ns) / 1e3)) }) }

    /// The same for people.
    var text: String { quantiles.map { "\($0.name) \(durationText(ns: $0.ns))" }.joined(separator: "  ") }

    private var quantiles: [(name: String, ns: Int64)] {
        [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)].map { ($0.0, quantileNs($0.1)) }
            + [("max", maxNs)]
    }
}

import HTTP2

extension Refusal {
    /// As `GET /metrics` names it.
    fileprivate var label: String {
        switch self {
        case .tooManyCalls: "too_many_calls"
        case .share: "share"
        case .line: "line"
        case .wait: "wait"
        case .cancels: "cancels"
        case .requestBytes: "request_memory"
        }
    }
}

extension ServerCore {
    /// All that the server tells of itself at `GET /metrics`: of connections, of calls, and what the sources add.
    var metricFamilies: [MetricFamily] {
        let counts = counts
        let own = [
            MetricFamily("tollgate_rpc_calls", .gauge, "Calls that are under way now", counts.active),
            MetricFamily(
                "tollgate_rpc_refused_total", .counter, "Calls refused to protect the server, by why", by: "reason",
                Refusal.allCases.map { MetricFamily.Sample(label: $0.label, value: refusals.count(of: $0)) }),
        ]
        return http2Metrics.families + own + metrics.flatMap { $0() }
    }
}

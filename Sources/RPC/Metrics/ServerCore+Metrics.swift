import HTTP2

extension ServerCore {
    /// All that the server tells of itself at `GET /metrics`: of connections, of calls, and what the sources add.
    var metricFamilies: [MetricFamily] {
        let counts = counts
        let own = [
            MetricFamily("tollgate_rpc_calls", .gauge, "Calls that are under way now", counts.active),
            MetricFamily(
                "tollgate_rpc_refused_total", .counter, "Calls refused to protect the server, by why", by: "reason",
                [MetricFamily.Sample(label: "too_many_calls", value: counts.refused)]),
        ]
        return http2Metrics.families + own + metrics.flatMap { $0() }
    }
}

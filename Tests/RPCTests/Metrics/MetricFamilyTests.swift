import HTTP2
import Testing

@testable import RPC

@Suite struct MetricFamilyTests {
    @Test func familiesAreWrittenAsPrometheusReadsThem() {
        let families = [
            MetricFamily("tollgate_calls", .gauge, "Calls \\ that\nare under way", 3),
            MetricFamily(
                "tollgate_refused_total", .counter, "Refused", by: "reason",
                [MetricFamily.Sample(label: "a \"b\"", value: 1), MetricFamily.Sample(label: "c", value: 0)]),
        ]
        #expect(
            MetricsText.of(families) == #"""
                # HELP tollgate_calls Calls \\ that\nare under way
                # TYPE tollgate_calls gauge
                tollgate_calls 3
                # HELP tollgate_refused_total Refused
                # TYPE tollgate_refused_total counter
                tollgate_refused_total{reason="a \"b\""} 1
                tollgate_refused_total{reason="c"} 0

                """#)
    }

    @Test func everyEventOfHTTP2IsToldOnce() {
        let families = HTTP2Metrics().families
        #expect(families.allSatisfy { !$0.help.isEmpty })
        #expect(Set(families.map(\.name)).count == families.count)
        let counters = families.filter { $0.kind == .counter }
        #expect(counters.reduce(0) { $0 + $1.samples.count } == HTTP2Metrics.Event.allCases.count)
        for family in counters {
            let labels = family.samples.map(\.label)
            #expect(Set(labels).count == labels.count)
            #expect(labels.allSatisfy { ($0 != nil) == (family.label != nil) })
        }
    }
}

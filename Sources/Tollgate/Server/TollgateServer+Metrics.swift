import Engine
import RPC

extension TollgateServer {
    /// What the engine tells at `GET /metrics`. Read for each scrape, on a loop's thread: nothing here may wait for a disk.
    static func metrics(of engine: Engine) -> MetricsSource {
        {
            [
                MetricFamily(
                    "tollgate_engine_pending_records", .gauge,
                    "Records that are durable in the journal and not yet in a shard", engine.pendingRecords),
                MetricFamily(
                    "tollgate_engine_resident_tenants", .gauge, "Tenants whose books are in memory",
                    engine.residentTenants),
                MetricFamily(
                    "tollgate_engine_set_aside_shards", .gauge,
                    "Tenants that are refused because their books were set aside as damaged", engine.setAsideShards),
                MetricFamily(
                    "tollgate_engine_refused_total", .counter,
                    "Steps, reads and reports refused, by what there was too much of",
                    by: "what",
                    Shortage.allCases.map { MetricFamily.Sample(label: "\($0)", value: engine.refusals(for: $0)) }),
                MetricFamily(
                    "tollgate_engine_dropped_total", .counter,
                    "Steps and reports that were not done as nobody waited for them any more", engine.dropped),
            ]
        }
    }
}

import Ledger
import Locks
import Storage

/// A few threads that read shards, so that neither an event loop nor a partition waits for a disk.
///
/// Steps go first: what they need of a shard waits for no report, and one thread at least is free of reports. Among the
/// reports tenants take their turns, so that one who asks for many waits behind itself.
///
/// `@unchecked Sendable`: the queues are guarded by `monitor`; `threads` is set once.
final class ShardReaders: @unchecked Sendable {
    typealias Work = @Sendable () -> Void

    private let monitor = Monitor()
    private let maxJobs: Int
    private var jobs = FIFO<Work>()
    private var reports: ReportLine
    /// Reports that are being made, and how many may be.
    private var reporting = 0
    private let maxReporting: Int
    private var isStopping = false
    private var threads: [EngineThread] = []

    /// - Parameter threadCount: With none, `turn` is what does the jobs.
    init(threadCount: Int, maxJobs: Int, maxReports: Int) {
        self.maxJobs = maxJobs
        reports = ReportLine(max: maxReports)
        maxReporting = max(1, threadCount - 1)
        threads = (0..<threadCount).map { index in
            EngineThread(name: "shard-reader-\(index)") { [unowned self] in while turn(waits: true) {} }
        }
    }

    /// Does something that a step waits for. False where too many wait already, or no thread would come to it any more.
    func submit(_ job: @escaping Work) -> Bool {
        monitor.locked {
            guard jobs.count < maxJobs, !isStopping else { return false }
            jobs.append(job)
            monitor.wake()
            return true
        }
    }

    /// Makes a report of a tenant. False where too many wait already, of this tenant or of all, or the end has come.
    func submit(reportOf tenant: TenantID, _ job: @escaping Work) -> Bool {
        monitor.locked {
            guard !isStopping, reports.add(job, of: tenant) else { return false }
            monitor.wake()
            return true
        }
    }

    /// Ends the threads after what is queued.
    func stop() {
        monitor.locked {
            isStopping = true
            monitor.wakeAll()
        }
        for thread in threads { thread.join() }
        if threads.isEmpty { while turn(waits: false) {} }
    }

    /// Forgets what is queued.
    func abandon() {
        monitor.locked {
            jobs = FIFO()
            reports = ReportLine(max: 0)
        }
    }

    /// Does one job, if there is one.
    /// - Parameter waits: Until there is one, or `stop`.
    /// - Returns: false where there was none.
    func turn(waits: Bool) -> Bool {
        guard let (work, isReport) = next(waits: waits) else { return false }
        work()
        if isReport { reportEnded() }
        return true
    }

    private func next(waits: Bool) -> (work: Work, isReport: Bool)? {
        monitor.lock()
        defer { monitor.unlock() }
        while true {
            if let job = jobs.popFirst() { return (job, false) }
            if reporting < maxReporting, let report = reports.popFirst() {
                reporting += 1
                return (report, true)
            }
            // Who makes a report comes back for those that are left.
            if isStopping || !waits { return nil }
            monitor.wait()
        }
    }

    private func reportEnded() {
        monitor.locked {
            reporting -= 1
            if reports.count > 0 { monitor.wake() }
        }
    }
}

/// Reports that wait, in the order of each tenant's own, tenant by tenant. Of the places one tenant has as many as it leaves
/// free.
struct ReportLine {
    private let max: Int
    private var queues: [TenantID: FIFO<ShardReaders.Work>] = [:]
    private var tenants = FIFO<TenantID>()
    private(set) var count = 0

    init(max: Int) { self.max = max }

    /// False where there is no place for it.
    mutating func add(_ report: @escaping ShardReaders.Work, of tenant: TenantID) -> Bool {
        let own = queues[tenant]?.count ?? 0
        guard own + count < max else { return false }
        if own == 0 { tenants.append(tenant) }
        queues[tenant, default: FIFO()].append(report)
        count += 1
        return true
    }

    mutating func popFirst() -> ShardReaders.Work? {
        guard let tenant = tenants.popFirst() else { return nil }
        let report = queues[tenant]!.popFirst()!
        count -= 1
        if queues[tenant]!.count > 0 { tenants.append(tenant) } else { queues[tenant] = nil }
        return report
    }
}

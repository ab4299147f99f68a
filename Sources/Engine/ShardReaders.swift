import Locks

/// A few threads that read shards, so that neither an event loop nor a partition waits for a disk.
///
/// `@unchecked Sendable`: the queue is guarded by `monitor`; `threads` is set once.
final class ShardReaders: @unchecked Sendable {
    private let monitor = Monitor()
    private let maxJobs: Int
    private var jobs: [@Sendable () -> Void] = []
    private var head = 0
    private var isStopping = false
    private var threads: [EngineThread] = []

    /// - Parameter threadCount: With none, `turn` is what does the jobs.
    init(threadCount: Int, maxJobs: Int) {
        self.maxJobs = maxJobs
        threads = (0..<threadCount).map { index in
            EngineThread(name: "shard-reader-\(index)") { [unowned self] in while turn(waits: true) {} }
        }
    }

    /// False where too many wait already, or no thread would come to it any more.
    func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        monitor.locked {
            guard jobs.count - head < maxJobs, !isStopping else { return false }
            jobs.append(job)
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

    /// Forgets what is queued: nobody will come to it, and nobody is told.
    func abandon() {
        monitor.locked {
            jobs = []
            head = 0
        }
    }

    /// Does one job, if there is one.
    /// - Parameter waits: Until there is one, or `stop`.
    /// - Returns: false where there was none.
    func turn(waits: Bool) -> Bool {
        guard let job = next(waits: waits) else { return false }
        job()
        return true
    }

    private func next(waits: Bool) -> (@Sendable () -> Void)? {
        monitor.lock()
        defer { monitor.unlock() }
        while head == jobs.count {
            if isStopping || !waits { return nil }
            monitor.wait()
        }
        let job = jobs[head]
        head += 1
        if head == jobs.count {
            jobs.removeAll(keepingCapacity: head < 4_096)
            head = 0
        } else if head > 4_096, head * 2 > jobs.count {
            jobs.removeFirst(head)
            head = 0
        }
        return job
    }
}

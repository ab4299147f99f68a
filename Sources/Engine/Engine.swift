import Ledger
import Locks
import Storage
import Synchronization

/// How an engine is set up.
package struct EngineConfiguration: Sendable {
    package var limits = EngineLimits()
    /// Locks among which the tenants are shared out.
    package var partitions = 16
    /// Threads that load books and recall old steps.
    package var readerThreads = 2
    /// How often holds and grants of books in memory are looked at for their end.
    package var tickMs = 50
    package var workers = EngineWorkers.threads

    package init() {}
}

/// Who does the engine's work.
package enum EngineWorkers: Sendable {
    /// Threads of its own.
    case threads
    /// Nobody but who calls `Engine.turn`: with a clock and a disk that are simulated too, all that happens is then repeatable.
    case byHand
}

/// A part of the engine that works by itself.
package enum EngineWorker: CaseIterable, Sendable {
    /// Makes durable what was gathered.
    case commit
    /// Takes what is durable to the shards, and trims the journal.
    case flush
    /// Loads books, recalls steps, reads reports.
    case reader
    /// Ends what is due.
    case timer
}

/// Who hears how the engine fares. Called from the engine's threads; must not call back into it.
package protocol EngineObserver: AnyObject, Sendable {
    /// The journal stopped taking writes (every step is refused meanwhile), or takes them again (nil).
    func journalHealth(_ error: StorageError?)
    /// Shards stopped taking writes (steps go on, the journal grows), or take them again (nil).
    func shardsHealth(_ error: StorageError?)
    func storageFault(_ error: StorageError, tenant: TenantID?)
}

/// The metering engine: runs steps on the tenants' books, makes them durable together, and keeps the shards up behind.
///
/// Every completion is called exactly once, on a thread of the engine or of the given queue, and only when all that it
/// tells is durable: an answer, a refusal or a read shows nothing that a crash could still take back.
package final class Engine: Sendable {
    private let core: EngineCore
    private let threads: Threads?
    private let isStopped = Atomic(false)

    /// Replays what the journal has and the shards lack, and starts the engine's threads.
    package init(
        journal: any Journal, shards: ShardStore, clock: any Clock, rules: any BookRules = PlainRules.shared,
        configuration: EngineConfiguration, observer: any EngineObserver
    ) throws(StorageError) {
        let core = EngineCore(
            journal: journal, shards: shards, clock: clock, rules: rules, configuration: configuration,
            observer: observer)
        self.core = core
        do throws(StorageError) {
            try core.recover()
        } catch {
            core.readers.stop()
            throw error
        }
        threads = configuration.workers == .threads ? Threads(of: core, tickMs: configuration.tickMs) : nil
    }

    // What nobody came to holds on to the core.
    deinit { if threads == nil { core.abandon() } }

    /// Does the next piece of a worker's work, of an engine whose workers are not threads.
    ///
    /// May be called from inside the journal's or a shard's disk accesses, as another thread would go on there: only that worker
    /// is not to be called again, nor one that needs a shard from inside one that has a shard in use.
    /// - Returns: false where there is nothing to do at the moment.
    @discardableResult
    package func turn(of worker: EngineWorker) -> Bool {
        precondition(threads == nil, "threads do this engine's work")
        switch worker {
        case .commit: return core.groupCommit.turn(waits: false)
        case .flush: return core.writeBehind.turn(waits: false)
        case .reader: return core.readers.turn(waits: false)
        case .timer:
            core.tick()
            return true
        }
    }

    /// Does one step on a tenant's book.
    /// - Parameter caller: Who waits for it; where that one has gone before the step is decided it is not done.
    package func submit(
        _ command: Command, tenant: TenantID, queue: (any CompletionQueue)? = nil, caller: (any StepCaller)? = nil,
        completion: @escaping StepCompletion
    ) {
        submit(command, tenant: tenant, for: ClosureListener(queue: queue, caller: caller, completion))
    }

    /// The same for a listener and from a seat, which costs least. Not for limits.
    package func submit(_ command: Command, from seat: TenantSeat, for listener: any StepListener) {
        core.partition(of: seat).submit(command, from: seat, for: listener)
    }

    private func submit(_ command: Command, tenant: TenantID, for listener: any StepListener) {
        if case .set(let setting) = command, case .limits(let limits, let zone, _) = setting.change {
            let job = LimitsJob(command: setting, limits: limits, zone: zone, listener: listener)
            return core.partition(of: tenant).submit(.limits(job), tenant: tenant)
        }
        core.partition(of: tenant).submit(.step(command, listener), tenant: tenant)
    }

    /// Does many steps on a tenant's book, each by itself, in their order.
    /// - Parameter order: Shared by calls whose steps are taken in the order of the calls too, all for one tenant.
    package func submit(_ steps: any StepsListener, tenant: TenantID, order: StepOrder? = nil) {
        core.partition(of: tenant).submit(.steps(StepsJob(steps, order: order)), tenant: tenant)
    }

    /// The same for commands that are there; told once, when all of them are durable.
    package func submit(
        _ commands: [Command], tenant: TenantID, queue: (any CompletionQueue)? = nil,
        caller: (any StepCaller)? = nil, order: StepOrder? = nil, completion: @escaping ManyStepsCompletion
    ) {
        let steps = ListedSteps(commands, queue: queue, caller: caller, completion: completion)
        submit(steps, tenant: tenant, order: order)
    }

    /// Looks at a tenant's settled state and delivers what `body` made of it once all of it is durable: at once where it is,
    /// otherwise in the queue. `body` runs under a lock: it only looks, quickly, and does not call the engine.
    package func read<Value: Sendable>(
        tenant: TenantID, queue: (any CompletionQueue)? = nil,
        _ body: @escaping @Sendable (borrowing LedgerState, Instant) -> Value,
        completion: @escaping @Sendable (Result<Value, EngineError>) -> Void
    ) {
        let partition = core.partition(of: tenant)
        var value: Value?
        _ = partition.look(at: tenant) { value = body($0, $1) }
        if let value { return completion(.success(value)) }
        let job = ReadJob(
            queue: queue,
            body: { state, now, _ in
                let value = body(state, now)
                return { completion(.success(value)) }
            },
            failed: { completion(.failure($0)) })
        partition.submit(.read(job), tenant: tenant)
    }

    /// Shows `body` a tenant's settled state where all of it is durable and nothing has to be waited for: what most reads need.
    /// False where it is to be read by `read`.
    package func look(from seat: TenantSeat, _ body: (borrowing LedgerState, Instant) -> Void) -> Bool {
        core.partition(of: seat).look(from: seat, body)
    }

    /// Reads a tenant's shard, on a reader thread, after everything that was durable for the tenant at the time of the call has reached it.
    package func report<Value: Sendable>(
        tenant: TenantID, caller: (any StepCaller)? = nil,
        _ body: @escaping @Sendable (ShardStore, TenantID) throws(StorageError) -> Value,
        completion: @escaping @Sendable (Result<Value, EngineError>) -> Void
    ) {
        let core = core
        core.whenFlushed(tenant) { error in
            if let error { return completion(.failure(error)) }
            let isQueued = core.readers.submit(reportOf: tenant) {
                if core.groupCommit.isStopping { return completion(.failure(.stopping)) }
                if caller?.hasGone == true { return completion(.failure(core.noted(.callerGone))) }
                do throws(StorageError) {
                    completion(.success(try body(core.shards, tenant)))
                } catch {
                    core.report(error, of: tenant)
                    completion(.failure(.reading(tenant, error)))
                }
            }
            if !isQueued { completion(.failure(core.noted(core.groupCommit.whyNot(.reports)))) }
        }
    }

    /// Ends what is due now; for a clock that was moved by hand.
    package func tick() { core.tick() }

    package var now: Instant { core.clock.now() }

    /// The time zones and plans that the books go by.
    package var rules: any BookRules { core.rules }

    package var residentTenants: Int { core.partitions.reduce(0) { $0 + $1.residentCount } }

    /// Tenants that are refused because their shards were set aside as damaged.
    package var setAsideShards: Int { core.shards.setAsideCount }

    /// How often something was refused for want of what, since the start.
    package func refusals(for shortage: Shortage) -> Int { core.shortages.count(of: shortage) }

    /// Steps and reports that were not done as nobody waited for them any more.
    package var dropped: Int { core.shortages.dropped }

    /// Records that are durable in the journal and not yet in a shard.
    package var pendingRecords: Int { core.writeBehind.pendingCount }

    /// Refuses new steps, finishes what was taken, brings the shards up to the journal and closes both. Blocks. Whoever still
    /// waits for a disk then is told that the engine stops.
    package func stop() {
        guard !isStopped.exchange(true, ordering: .acquiringAndReleasing) else { return }
        threads?.timer.end()
        core.groupCommit.refuseNew()
        // A partition whose lock was had once is inside no job that began before the refusal.
        for partition in core.partitions { partition.monitor.locked {} }
        core.groupCommit.stop()
        if let threads { threads.commit.join() } else { core.groupCommit.run() }
        core.readers.stop()
        core.writeBehind.stop()
        if let threads { threads.flush.join() } else { core.writeBehind.run() }
        let lateFromMs = core.clock.monotonicMs + core.limits.maxStopCheckpointMs
        core.shards.close { core.clock.monotonicMs >= lateFromMs }
        core.journal.close()
    }
}

extension Engine {
    /// Who brings steps from a loop says here when it begins to, and when it has brought all that is there: what gathers
    /// meanwhile is made durable together (`CommitPace`). Where nobody says so each batch is what came during the one before.
    package func arrivalsBegan() { core.groupCommit.arrivalsBegan() }
    package func arrivalsPaused() { core.groupCommit.arrivalsPaused() }
}

/// The threads that do an engine's work, but for those of its readers.
private struct Threads {
    let commit: EngineThread
    let flush: EngineThread
    let timer: Timer

    init(of core: EngineCore, tickMs: Int) {
        commit = EngineThread(name: "group-commit") { core.groupCommit.run() }
        flush = EngineThread(name: "write-behind") {
            core.writeBehind.giveWay()
            core.writeBehind.run()
        }
        timer = Timer(intervalMs: tickMs) { core.tick() }
    }
}

/// Calls a function at an interval until it is stopped.
private final class Timer: Sendable {
    private final class Stop: Sendable {
        let monitor = Monitor()
        let isAsked = Atomic(false)
    }

    private let stop = Stop()
    private let thread: EngineThread

    init(intervalMs: Int, _ body: @escaping @Sendable () -> Void) {
        thread = EngineThread(name: "engine-timer") { [stop] in
            while true {
                stop.monitor.locked {
                    if !stop.isAsked.load(ordering: .relaxed) { stop.monitor.wait(milliseconds: intervalMs) }
                }
                if stop.isAsked.load(ordering: .relaxed) { return }
                body()
            }
        }
    }

    func end() {
        stop.monitor.locked {
            stop.isAsked.store(true, ordering: .relaxed)
            stop.monitor.wakeAll()
        }
        thread.join()
    }
}

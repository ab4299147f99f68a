import Ledger
import Storage

/// Setting a tenant's limits. What was used since the windows of new ones began stands in the shard and in the records on
/// their way there, so that it is looked up first, and the records that the shard does not have yet are added under the
/// lock under which the limits are decided: not a charge is missed and none is counted twice.
struct LimitsJob: Sendable {
    /// What the shard knew of the use of new limits.
    struct Use: Sendable {
        let limits: [LedgerState.NewLimit]
        let uses: [LimitUse]
        /// The last entry that it covers.
        let sequence: UInt64
    }

    let command: SettingCommand
    let limits: [UsageLimit]
    let zone: String
    let listener: any StepListener
    var use: Use?
    var attempts = 0

    /// The step to decide once it is known what was used.
    func step(used: [Int64]) -> Command {
        var command = command
        command.change = .limits(limits, zone: zone, used: used)
        return .set(command)
    }
}

extension LimitsJob.Use {
    /// With what the records that the shard had not when it was asked add to it; nil where some of them are there no more,
    /// or are about a reservation of which memory does not know what it is for.
    func adding(_ runs: [RecordRun], _ state: borrowing LedgerState, flushedThrough: UInt64) -> [Int64]? {
        guard flushedThrough <= sequence else { return nil }
        var uses = uses
        var isWhole = true
        for run in runs {
            run.forEach { (_, record) in
                guard let entries = try? EntryCodec.decodeRecord(record) else { return isWhole = false }
                for entry in entries where entry.sequence > sequence && isWhole {
                    isWhole = add(entry, state, to: &uses)
                }
            }
        }
        return isWhole ? uses.map(\.used) : nil
    }

    private func add(_ entry: Entry, _ state: borrowing LedgerState, to uses: inout [LimitUse]) -> Bool {
        let consumed = entry.moves.reduce(0) { $0 &+ $1.consumed }
        if consumed == 0 { return true }
        let terms: ReservationTerms
        if case .opening(let own, _) = entry.detail {
            terms = own
        } else if let reservation = state.reservation(entry.reservation) {
            terms = reservation.terms
        } else {
            return false
        }
        let quarterHour = UsageBucket.quarterHour(of: entry.at)
        for (index, new) in limits.enumerated()
        where new.limit.counts(feature: terms.feature, member: terms.actor)
            && quarterHour >= UsageBucket.quarterHour(of: new.since)
        {
            uses[index].add(consumed, in: quarterHour)
        }
        return true
    }
}

extension Partition {
    /// Decides the limits where it is known what was used of the new ones, and else looks it up and comes back.
    func set(_ job: LimitsJob, on book: Book, at now: Instant) -> After? {
        let settled = settle(book, at: now)
        let new = book.state!.ledger.newLimits(job.limits, zone: job.zone, at: now, under: core.rules)
        let used =
            new.isEmpty
            ? []
            : job.use.flatMap { use in
                use.limits == new
                    ? use.adding(
                        [book.flushing, book.pending], book.state!.ledger, flushedThrough: book.flushedSequence) : nil
            }
        guard let used else {
            journal(settled, [], of: book, nil)
            return { [self, core] in lookUp(new, for: job, of: book.tenant, core) }
        }
        return decide(job.step(used: used), for: job.listener, settled, on: book, at: now)
    }

    private func lookUp(_ new: [LedgerState.NewLimit], for job: LimitsJob, of tenant: TenantID, _ core: EngineCore) {
        var job = job
        job.attempts += 1
        guard job.attempts <= core.limits.maxLimitLookUps else {
            return job.listener.settled(.overloaded(.limits))
        }
        // After what is there now has been flushed few records are left to add.
        core.whenFlushed(tenant) { [self, job] error in
            if let error { return job.listener.settled(error) }
            let isQueued = core.readers.submit { [self] in
                do throws(StorageError) {
                    let found = try core.shards.use(tenant, of: new)
                    var job = job
                    job.use = LimitsJob.Use(limits: new, uses: found.uses, sequence: found.through)
                    submit(.limits(job), tenant: tenant, hasWaited: true)
                } catch {
                    core.report(error, of: tenant)
                    job.listener.settled(.reading(tenant, error))
                }
            }
            if !isQueued { job.listener.settled(core.groupCommit.whyNot(.lookUps)) }
        }
    }
}

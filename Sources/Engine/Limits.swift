/// The bounds of the engine. Each refuses or evicts when it is reached; none lets memory grow without end.
package struct EngineLimits: Sendable {
    /// Books in memory; above it, idle ones are let go of.
    package var maxResidentTenants = 150_000
    /// Records that are journaled but not yet in their shards, over all tenants. Above it steps are refused until the shards have caught up.
    package var maxPendingRecords = 1_200_000
    /// The same in bytes; from half of either on nobody waits to gather. What stands in memory of these steps beside their
    /// records, until their shards have them, is about as much again.
    package var maxPendingBytes = 3 << 27
    /// Entries of one journal record; where more end together they take several.
    package var maxEntriesPerRecord = 4_096
    /// Bytes that one batch may gather while the batch before it is being synced.
    package var maxGatheredBytes = 32 << 20
    /// How long a batch may gather after the one before was told, while somebody still brings steps; and how many callers must
    /// wait for that. See `CommitPace`.
    package var gatherUs = 1_000
    package var fewCallers = 4
    /// Calls that wait for the journal. Above it calls are refused until the batch that is being synced is told.
    package var maxWaitingCalls = 65_536
    /// How long the disk may take for a batch before steps are refused until it has it: they would be answered too late.
    package var maxAppendMs = 1_000
    /// Jobs that wait for one tenant's book to be loaded, and reports that wait for one tenant's shard.
    package var maxWaitingJobs = 10_000
    /// Look-ups in shards, for steps and books, that wait for a reader thread; and reports, which go after them.
    package var maxReaderJobs = 20_000
    package var maxReports = 512
    /// Closed steps of one tenant that stay in memory after the shard has them, so that retries and refunds soon after need no look-up.
    package var rememberedSteps = 4_096
    /// The same of all tenants together: with many in memory each has its share. More of them would cost every step a walk
    /// through memory that no cache holds.
    package var rememberedStepsOfAll = 65_536
    /// How long the steps of a tenant gather before they are written to its shard.
    package var flushIntervalMs = 200
    /// Pending records of one tenant that are flushed without waiting for the interval.
    package var flushRecords = 8_192
    /// Pending records, and their bytes, up to which a flush lets every other thread go first.
    package var patientRecords = 65_536
    package var patientBytes = 24 << 20
    /// Books that wait for a flush, above which one with less than `gatherRecords` waits on until it has them: a
    /// transaction costs as much as many records.
    package var impatientBooks = 128
    package var gatherRecords = 128
    /// How long it waits at most.
    package var gatherMs = 60_000
    /// How often it is looked up anew what was used of new limits, because the tenant's shard took more meanwhile.
    package var maxLimitLookUps = 100
    /// Books of a partition that are settled in one go by the timers.
    package var maxSettledAtOnce = 256
    /// Steps that are forgotten in one go under a partition's lock where nobody takes steps; with as many pending, the steps do it.
    package var forgottenAtOnce = 64
    /// Records that go into one shard transaction.
    package var maxRecordsPerFlush = 32_768
    /// Journal bytes above which the shards are made durable and the journal trimmed.
    package var trimBytes: Int64 = 256 << 20
    /// Bytes of flushed records above which shards are made durable although little of the journal can be trimmed: what
    /// they are not known to hold durably is pending again after a restart.
    package var maxUnsyncedBytes = 256 << 20
    /// Journal bytes above which no tenant gathers any longer, so that it can be trimmed.
    package var longJournalBytes: Int64 = 640 << 20
    /// Journal bytes above which steps are refused: a shard that takes nothing keeps the journal from being trimmed.
    package var maxJournalBytes: Int64 = 16 << 30
    /// How long an engine that stops brings the shards up to the journal; what is left then is done by the next one.
    package var maxStopFlushMs = 4_000
    /// How long it then makes them durable, so that the journal can be trimmed, and how long it moves their logs into their files.
    package var maxStopSyncMs = 1_000
    package var maxStopCheckpointMs = 1_000
    /// Bytes of flushed records after which the memory that they took is given back once nothing is left to flush.
    package var releasedBytes = 16 << 20
    /// How long after a failed write the journal, or a shard, is tried again.
    package var probeIntervalMs = 500

    package init() {}
}

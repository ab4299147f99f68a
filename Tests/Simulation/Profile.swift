import Engine
import Ledger
import SeededRandom
import Storage

/// What one seed's world is like: all bounds are small, so that they are met.
struct Profile {
    let hotTenants: Int
    let coldTenants: Int
    let callers: Int
    let segmentBytes: Int64
    let shards: ShardBounds
    /// Calls of the disk between crashes, on average.
    let callsToCrash: Int
    /// Of a thousand calls of the disk so many fail while the weather is bad.
    let stormPerMille: Int
    /// Of a thousand calls of the disk, before so many something else happens.
    let meetingsPerMille: Int
    /// Of a hundred starts, before so many the server's files are damaged, on a copy of its disk.
    let damagePercent: Int
    var engine = EngineConfiguration()

    init(_ random: inout SeededRandom) {
        hotTenants = random.number(1...4)
        coldTenants = random.number(4...40)
        callers = random.number(4...40)
        segmentBytes = Int64(random.number(4...48) << 10)
        shards = ShardBounds(
            openShards: random.number(1...24),
            checkpointBytes: Int64(random.number(random.chance(50) ? 32...256 : 512...4_096) << 10),
            // Where it is small, pages are in the log before their transaction ends, and again when it does.
            pageCacheKiB: random.number(random.chance(50) ? 8...64 : 128...512))
        callsToCrash = random.number(300...6_000)
        stormPerMille = random.number(1...60)
        meetingsPerMille = random.number(0...120)
        damagePercent = random.number(0...40)
        engine.workers = .byHand
        engine.partitions = random.number(1...4)
        var limits = EngineLimits()
        limits.maxResidentTenants = engine.partitions * random.number(1...12)
        limits.maxPendingRecords = random.number(random.chance(30) ? 100...300 : 1_000...5_000)
        limits.maxPendingBytes = random.number(random.chance(30) ? 32...128 : 256...1_024) << 10
        limits.maxEntriesPerRecord = random.number(4...64)
        limits.maxGatheredBytes = random.number(4...64) << 10
        limits.maxWaitingCalls = random.number(random.chance(30) ? 3...20 : 40...200)
        limits.maxWaitingJobs = random.number(random.chance(30) ? 1...6 : 10...40)
        limits.maxReaderJobs = random.number(random.chance(30) ? 1...6 : 10...40)
        limits.rememberedSteps = random.number(1...30)
        limits.rememberedStepsOfAll = random.number(10...200)
        limits.flushIntervalMs = random.number(1...200)
        limits.flushRecords = random.number(4...64)
        limits.impatientBooks = random.number(1...8)
        limits.gatherRecords = random.number(2...32)
        limits.gatherMs = random.number(100...5_000)
        limits.maxSettledAtOnce = random.number(1...8)
        limits.forgottenAtOnce = random.number(1...16)
        limits.maxRecordsPerFlush = random.number(2...64)
        limits.trimBytes = Int64(random.number(8...128) << 10)
        limits.longJournalBytes = limits.trimBytes * 2
        limits.maxJournalBytes = limits.trimBytes * 16
        limits.probeIntervalMs = random.number(10...500)
        limits.maxStopFlushMs = random.number(0...5_000)
        engine.limits = limits
    }
}

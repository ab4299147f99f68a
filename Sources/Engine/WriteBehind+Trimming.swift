import Ledger
import Locks
import Storage
import Synchronization

/// What makes shards durable, so that the journal may be trimmed behind them. The flush thread's.
extension WriteBehind {
    /// Shards that are made durable between two looks at the clock when the engine stops.
    fileprivate static let syncsAtOnce = 32

    /// The last of the flushing, after `stop`. Makes the shards with the oldest records durable, as far as time allows.
    func end() {
        let endsByMs = core.clock.monotonicMs + core.limits.maxStopSyncMs
        var left = unsynced.sorted { $0.value < $1.value }.map(\.key)[...]
        while !left.isEmpty, core.clock.monotonicMs < endsByMs {
            makeDurable(left.prefix(Self.syncsAtOnce))
            left = left.dropFirst(Self.syncsAtOnce)
        }
        trim()
        monitor.locked { hasEnded = true }
        for partition in core.partitions {
            for waiter in partition.takeFlushWaiters() { waiter.body(.stopping) }
        }
    }

    func trimIfLong() {
        let limits = core.limits
        let journal = core.journal
        let wasTooLong = isJournalTooLong.load(ordering: .relaxed)
        guard wasTooLong || journal.byteCount > trimAtBytes || unsyncedBytes >= limits.maxUnsyncedBytes else { return }
        // Syncs that free little would cost more than they give.
        let first = journal.firstPosition
        let freed = core.firstPendingPosition() ?? .max
        if unsyncedBytes >= limits.maxUnsyncedBytes {
            makeDurable(Array(unsynced.keys))
            trim()
            unsyncedBytes = 0
        } else if wasTooLong || freed > first + (core.groupCommit.durablePosition - first) / 4 {
            makeOldestDurable()
            trim()
        }
        let left = journal.byteCount
        trimAtBytes = max(limits.trimBytes, left + limits.trimBytes / 4)
        isJournalLong.store(left > limits.longJournalBytes, ordering: .relaxed)
        isJournalTooLong.store(left > limits.maxJournalBytes, ordering: .relaxed)
    }

    /// Makes the shards durable that hold records of the older half of the journal.
    private func makeOldestDurable() {
        let durable = core.groupCommit.durablePosition
        let first = core.journal.firstPosition
        let half = first + (durable - min(durable, first)) / 2
        makeDurable(unsynced.filter { $0.value <= half }.keys)
    }

    private func makeDurable(_ tenants: some Collection<TenantID>) {
        let failures = core.shards.makeDurable(tenants)
        for tenant in tenants where failures[tenant] == nil { unsynced[tenant] = nil }
        for (tenant, error) in failures { core.report(error, of: tenant) }
    }

    /// Trims the journal behind what the shards hold durably.
    private func trim() {
        let kept = min(unsynced.values.min() ?? .max, core.firstPendingPosition() ?? .max)
        let trimmed = min(core.groupCommit.durablePosition, kept - 1)
        do throws(StorageError) {
            try core.shards.willTrimJournal(through: trimmed)
            try core.journal.trim(through: trimmed)
        } catch {
            core.report(error, of: nil)
        }
    }
}

import Ledger
import Locks
import Storage

extension EngineCore {
    /// Gives every tenant of the journal the records that its shard may lack: those behind what it is listed to hold. Which of
    /// them it lacks is found out when the book is loaded or flushed, so that starting costs what the journal's tail costs,
    /// not what all the shards do.
    func recover() throws(StorageError) {
        try shards.check(journal)
        var latest = Instant.zero
        // A test's clock does not start before what the book has seen.
        let manual = clock as? ManualClock
        let listed = try shards.listed()
        try journal.replay(after: 0) { (position, tenant, record) throws(StorageError) in
            if position > listed[tenant]?.position ?? 0 { recover(record, at: position, of: tenant) }
            guard manual != nil else { return }
            for entry in try EntryCodec.entries(ofRecord: record, at: position, tenant) {
                latest = max(latest, entry.at)
            }
        }
        manual?.advance(to: latest)
        writeBehind.hasRecovered()
    }

    private func recover(_ record: UnsafeRawBufferPointer, at position: UInt64, of tenant: TenantID) {
        let partition = partition(of: tenant)
        partition.monitor.locked {
            let book = partition.book(tenant)
            let before = book.pending.byteCount
            book.pending.append(record, at: position)
            book.lastPosition = position
            writeBehind.added(byteCount: book.pending.byteCount - before, to: book)
        }
    }

    func tick() {
        groupCommit.noteStall()
        for partition in partitions { partition.tick() }
    }

    /// Tells when the tenant's shard holds all that is journaled for it now.
    func whenFlushed(_ tenant: TenantID, _ body: @escaping @Sendable (EngineError?) -> Void) {
        let partition = partition(of: tenant)
        let job = ReadJob(
            queue: nil,
            body: { [self] _, _, book in
                let position = book.lastPosition
                return { self.wait(for: position, of: tenant, body) }
            },
            failed: body)
        partition.submit(.read(job), tenant: tenant)
    }

    /// The records up to `position` are durable; the shard is to have them too.
    private func wait(for position: UInt64, of tenant: TenantID, _ body: @escaping @Sendable (EngineError?) -> Void) {
        let partition = partition(of: tenant)
        let isToldLater: Bool
        var error: EngineError?
        partition.monitor.lock()
        let book = partition.book(tenant)
        if book.pending.isEmpty && book.flushing.isEmpty || (book.flushedPosition ?? 0) >= position {
            // A book that was let go of in the meantime had nothing left to flush.
            isToldLater = false
        } else if book.flushWaiters.count >= limits.maxWaitingJobs {
            isToldLater = false
            error = .overloaded(.shardReports)
        } else {
            isToldLater = writeBehind.hurry(book)
            if isToldLater {
                book.flushWaiters.append(FlushWaiter(position: position, body: body))
            } else {
                error = .stopping
            }
        }
        partition.forgetIfIdle(book)
        partition.monitor.unlock()
        if !isToldLater { body(error) }
    }
}

import Ledger
import Storage

extension EngineCore {
    /// Gives every tenant of the journal the records that its shard may lack. Which of them it lacks is found out when the
    /// book is loaded or flushed, so that starting costs what the journal's tail costs, not what all the shards do.
    func recover() throws(StorageError) {
        var latest = Instant.zero
        try journal.replay(after: 0) { (position, tenant, record) throws(StorageError) in
            let entries: [Entry]
            do throws(CodecError) {
                entries = try EntryCodec.decodeRecord(record)
            } catch {
                throw .corrupt(path: "journal", reason: "record \(position) of tenant \(tenant): \(error)")
            }
            let partition = partition(of: tenant)
            partition.monitor.locked {
                let book = partition.book(tenant)
                book.pending.append(PendingRecord(position: position, entries: entries))
                book.lastPosition = position
                writeBehind.added(to: book)
            }
            if let last = entries.last { latest = max(latest, last.at) }
        }
        // A test's clock does not start before what the book has seen.
        (clock as? ManualClock)?.advance(to: latest)
    }

    func tick() {
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
        if book.pending.isEmpty || (book.flushedPosition ?? 0) >= position {
            // A book that was let go of in the meantime had nothing left to flush.
            isToldLater = false
        } else if book.flushWaiters.count >= limits.maxWaitingJobs {
            isToldLater = false
            error = .overloaded("too many reports wait for this tenant's shard")
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

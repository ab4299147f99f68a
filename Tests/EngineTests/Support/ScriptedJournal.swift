import Foundation
import Locks
import Storage

/// A journal on the disk that blocks or fails on command.
///
/// `@unchecked Sendable`: everything mutable is guarded by `condition`.
final class ScriptedJournal: Journal, @unchecked Sendable {
    private let base: LocalJournal
    private let condition = NSCondition()
    private var isBlocked = false
    private var failure: StorageError?
    private var blockedAppends = 0
    private var batches: [Int] = []
    private var failures = 0

    init(_ base: LocalJournal) {
        self.base = base
    }

    // MARK: - The script

    /// Every append from now on waits, before it writes anything, until `unblock`.
    func block() {
        condition.withLock { isBlocked = true }
    }

    func unblock() {
        condition.withLock {
            isBlocked = false
            condition.broadcast()
        }
    }

    /// Blocks until an append waits.
    func waitUntilBlocked() {
        condition.withLock { while blockedAppends == 0 { condition.wait() } }
    }

    /// Every append from now on fails; nil ends it.
    func fail(_ error: StorageError?) {
        condition.withLock { failure = error }
    }

    /// Records of each batch that was appended and was not empty.
    var batchSizes: [Int] { condition.withLock { batches } }

    var failedAppends: Int { condition.withLock { failures } }

    // MARK: - Journal

    var durablePosition: UInt64 { base.durablePosition }
    var firstPosition: UInt64 { base.firstPosition }
    var byteCount: Int64 { base.byteCount }

    func append(_ batch: borrowing JournalBatch) throws(StorageError) {
        if let error = admit() { throw error }
        try base.append(batch)
        let count = batch.count
        if count > 0 { condition.withLock { batches.append(count) } }
    }

    private func admit() -> StorageError? {
        condition.withLock {
            blockedAppends += 1
            condition.broadcast()
            while isBlocked { condition.wait() }
            blockedAppends -= 1
            if failure != nil { failures += 1 }
            return failure
        }
    }

    func replay(
        after position: UInt64,
        _ body: (_ position: UInt64, _ tenant: TenantID, _ record: UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        try base.replay(after: position, body)
    }

    func trim(through position: UInt64) throws(StorageError) {
        try base.trim(through: position)
    }

    func close() { base.close() }
}

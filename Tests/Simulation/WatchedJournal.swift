import Ledger
import Storage

/// What is durable, as the world saw it: the records of every batch that the journal took.
struct DurableRecords {
    struct Record {
        let tenant: TenantID
        let bytes: [UInt8]
    }

    /// A digest of each record, by position from 1.
    private(set) var digests: [UInt64] = []
    /// A batch that failed: where nothing was written after it before a crash, it may be found, whole, or not at all.
    var doubtful: [Record] = []

    var count: UInt64 { UInt64(digests.count) }

    mutating func add(_ record: Record) { digests.append(Self.digest(record)) }

    func isSame(_ record: Record, at position: UInt64) -> Bool {
        position >= 1 && position <= count && digests[Int(position) - 1] == Self.digest(record)
    }

    private static func digest(_ record: Record) -> UInt64 {
        var digest = Digest()
        record.tenant.description.utf8CString.withUnsafeBytes { digest.add($0) }
        record.bytes.withUnsafeBytes { digest.add($0) }
        return digest.value
    }
}

/// The true journal, with the world looking on: what it takes, and what it hands back after a crash.
///
/// `@unchecked Sendable`: a simulation has one thread.
final class WatchedJournal: Journal, @unchecked Sendable {
    let base: LocalJournal
    private unowned let world: World

    init(_ base: LocalJournal, _ world: World) {
        self.base = base
        self.world = world
    }

    var durablePosition: UInt64 { base.durablePosition }
    var firstPosition: UInt64 { base.firstPosition }
    var byteCount: Int64 { base.byteCount }

    func append(_ batch: borrowing JournalBatch) throws(StorageError) {
        var records: [DurableRecords.Record] = []
        batch.forEachRecord { _, tenant, record in
            records.append(DurableRecords.Record(tenant: tenant, bytes: Array(record)))
        }
        let first = batch.first
        do throws(StorageError) {
            try base.append(batch)
        } catch {
            if !records.isEmpty { world.records.doubtful = records }
            throw error
        }
        world.becameDurable(records, from: first)
    }

    func replay(
        after position: UInt64,
        _ body: (_ position: UInt64, _ tenant: TenantID, _ record: UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        try base.replay(after: position) { (position, tenant, bytes) throws(StorageError) in
            world.wasReplayed(DurableRecords.Record(tenant: tenant, bytes: Array(bytes)), at: position)
            try body(position, tenant, bytes)
        }
    }

    func trim(through position: UInt64) throws(StorageError) {
        try base.trim(through: position)
        world.count("trim")
    }

    func close() { base.close() }
}

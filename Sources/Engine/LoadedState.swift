import Ledger
import Storage

/// A tenant's state as its shard and its pending records make it.
struct LoadedState: ~Copyable, Sendable {
    let ledger: LedgerState
    /// What the shard alone holds.
    let heldPosition: UInt64
    let heldSequence: UInt64

    /// Records that do not continue what the shard holds mean a damaged shard: an error for this tenant and for no other.
    init(of tenant: TenantID, in core: EngineCore, followedBy pending: RecordRun) throws(StorageError) {
        let found = try core.shards.load(tenant)
        var ledger = LedgerState(restoring: found?.snapshot ?? BookSnapshot())
        let heldPosition = found?.position ?? 0
        try core.check(heldPosition: heldPosition, of: tenant)
        let heldSequence = ledger.sequence
        try pending.forEach { (position, record) throws(StorageError) in
            guard position > heldPosition else { return }
            for entry in try EntryCodec.entries(ofRecord: record, at: position, tenant) {
                if let recall = ledger.recall(forEvolving: entry) {
                    ledger.adopt(try core.shards.recall(tenant, recall), for: recall)
                }
                do throws(Contradiction) {
                    try ledger.evolve(verifying: entry)
                } catch {
                    throw .corrupt(
                        path: "the shard of tenant \(tenant)",
                        reason: "it ends at record \(heldPosition), and record \(position) does not follow: \(error)")
                }
            }
        }
        self.ledger = ledger
        self.heldPosition = heldPosition
        self.heldSequence = heldSequence
    }
}

extension EntryCodec {
    /// The entries of a record of the journal.
    static func entries(
        ofRecord record: UnsafeRawBufferPointer, at position: UInt64, _ tenant: TenantID
    ) throws(StorageError) -> [Entry] {
        do throws(CodecError) {
            return try decodeRecord(record)
        } catch {
            throw .corrupt(path: "journal", reason: "record \(position) of tenant \(tenant): \(error)")
        }
    }
}

import Ledger
import Storage

/// A tenant's state as its shard and its pending records make it.
struct LoadedState: ~Copyable, Sendable {
    let ledger: LedgerState
    /// What the shard alone holds.
    let heldPosition: UInt64
    let heldSequence: UInt64

    /// Records that do not continue what the shard holds mean a damaged shard: an error for this tenant and for no other.
    init(of tenant: TenantID, in core: EngineCore, followedBy pending: [PendingRecord]) throws(StorageError) {
        let found = try core.shards.load(tenant)
        var ledger = LedgerState(restoring: found?.snapshot ?? BookSnapshot())
        let heldPosition = found?.position ?? 0
        try core.check(heldPosition: heldPosition, of: tenant)
        let heldSequence = ledger.sequence
        for record in pending where record.position > heldPosition {
            do throws(Contradiction) {
                for entry in record.entries { try ledger.evolve(verifying: entry) }
            } catch {
                throw .corrupt(
                    path: "the shard of tenant \(tenant)",
                    reason: "it ends at record \(heldPosition), and record \(record.position) does not follow: \(error)"
                )
            }
        }
        self.ledger = ledger
        self.heldPosition = heldPosition
        self.heldSequence = heldSequence
    }
}

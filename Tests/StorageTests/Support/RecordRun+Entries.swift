import Ledger

@testable import Storage

extension ShardStore {
    func apply(_ tenant: TenantID, entries: [Entry], through position: UInt64) throws(StorageError) {
        try apply(tenant, RecordRun(entries, at: position))
    }
}

extension ShardStore {
    /// Makes all durable and closes it.
    func settle() throws(StorageError) {
        for error in makeDurable(try tenants()).values { throw error }
        close()
    }
}

extension Shard {
    func apply(_ entries: [Entry], through position: UInt64) throws(StorageError) {
        try apply(RecordRun(entries, at: position))
    }
}

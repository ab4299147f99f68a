import Ledger

@testable import Storage

extension RecordRun {
    /// One record with these entries.
    init(_ entries: [Entry], at position: UInt64) {
        self.init()
        var record: [UInt8] = []
        EntryCodec.encodeRecord(entries, into: &record)
        record.readable { append($0, at: position) }
    }
}

extension ShardStore {
    func apply(_ tenant: TenantID, entries: [Entry], through position: UInt64) throws(StorageError) {
        try apply(tenant, RecordRun(entries, at: position))
    }
}

extension Shard {
    func apply(_ entries: [Entry], through position: UInt64) throws(StorageError) {
        try apply(RecordRun(entries, at: position))
    }
}

import Ledger

/// What is read of the books beside the engine's own part.
extension ShardStore {
    /// Entries, newest first.
    package func transactions(
        _ tenant: TenantID, query: TransactionQuery
    ) throws(StorageError) -> TransactionPage {
        try read(tenant) { (shard) throws(StorageError) in try shard.transactions(query) } ?? TransactionPage()
    }

    package func reservations(
        _ tenant: TenantID, query: ReservationQuery
    ) throws(StorageError) -> ReservationPage {
        try read(tenant) { (shard) throws(StorageError) in try shard.reservations(query) } ?? ReservationPage()
    }

    /// Entries of the audit trail, newest first.
    package func audit(_ tenant: TenantID, query: AuditQuery) throws(StorageError) -> AuditPage {
        try read(tenant) { (shard) throws(StorageError) in try shard.audit(query) } ?? AuditPage()
    }

    /// What was used of what each limit counts since its window began, and the last entry of the book that this takes in.
    package func use(
        _ tenant: TenantID, of limits: [LedgerState.NewLimit]
    ) throws(StorageError) -> (uses: [LimitUse], through: UInt64) {
        try read(tenant) { (shard) throws(StorageError) in try shard.use(of: limits) }
            ?? (Array(repeating: LimitUse(), count: limits.count), 0)
    }
}

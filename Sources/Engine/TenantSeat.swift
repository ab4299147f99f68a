import Storage

/// A tenant as somebody knows it who does many steps for it: where its book is found need not be found out each time.
///
/// `@unchecked Sendable`: `book` is guarded by the lock of the tenant's partition. `@exclusivity(unchecked)`: as in `Partition`.
package final class TenantSeat: @unchecked Sendable {
    package let tenant: TenantID
    let hash: UInt
    /// The book that was found last; looked up again once its partition no longer knows it.
    @exclusivity(unchecked) var book: Book?

    package init(_ tenant: TenantID) {
        self.tenant = tenant
        hash = UInt(bitPattern: tenant.hashValue)
    }
}

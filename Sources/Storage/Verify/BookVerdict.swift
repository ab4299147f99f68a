import Ledger

/// What a proof of a tenant's book found.
package struct BookVerdict: Sendable {
    package var tenant: TenantID
    /// How many entries were proved.
    package var entries: UInt64 = 0
    /// The credits as the entries add up.
    package var totals = BookTotals()
    /// The last journal record that the shard holds.
    package var position: UInt64 = 0
    /// The first thing that is off; nil where nothing is.
    package var fault: BookFault?
}

package struct BookFault: Error, Equatable, Sendable, CustomStringConvertible {
    /// The entry at which it shows; nil where it is about the whole book.
    package var entry: UInt64?
    package var reason: String

    package var description: String {
        entry.map { "entry \($0): \(reason)" } ?? reason
    }
}

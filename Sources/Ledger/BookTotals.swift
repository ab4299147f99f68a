/// All credits of a tenant by where they are. At all times
/// `granted + overage == available + held + consumed + expired`.
package struct BookTotals: Equatable, Sendable {
    package var granted: Int64
    package var available: Int64
    package var held: Int64
    /// What was charged, less what was refunded.
    package var consumed: Int64
    package var expired: Int64
    /// What is held or owed beyond the grants.
    package var overage: Int64

    package init(
        granted: Int64 = 0, available: Int64 = 0, held: Int64 = 0, consumed: Int64 = 0, expired: Int64 = 0,
        overage: Int64 = 0
    ) {
        self.granted = granted
        self.available = available
        self.held = held
        self.consumed = consumed
        self.expired = expired
        self.overage = overage
    }

    /// The conservation law. It does not overflow, whatever the numbers are.
    package var isConserved: Bool {
        let sum = Int128(available) + Int128(held) + Int128(consumed) + Int128(expired)
        return sum == Int128(granted) + Int128(overage) && available >= 0 && held >= 0 && consumed >= 0 && expired >= 0
            && overage >= 0
    }
}

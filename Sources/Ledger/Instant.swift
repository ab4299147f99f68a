/// A moment, in microseconds since 1970-01-01T00:00:00Z. The core never reads a clock: every instant comes with a command.
package struct Instant: Hashable, Comparable, Sendable {
    package var microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    package static let zero = Instant(microseconds: 0)
    /// Later than any moment a book can name; stands for "never".
    package static let distantFuture = Instant(microseconds: .max)

    package static func < (a: Instant, b: Instant) -> Bool {
        a.microseconds < b.microseconds
    }

    /// The moment `interval` microseconds later, held at `distantFuture` where the sum would overflow.
    package func advanced(microseconds interval: Int64) -> Instant {
        let (sum, overflow) = microseconds.addingReportingOverflow(interval)
        return overflow ? .distantFuture : Instant(microseconds: sum)
    }
}

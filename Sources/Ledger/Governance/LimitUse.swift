/// What stands against a limit that is set in the middle of its window, from sums by quarter of an hour in the order of
/// time: charges less refunds of each quarter, never less than nothing after any of them.
package struct LimitUse: Equatable, Sendable {
    /// Up to the quarter before the last.
    private var settled: Int64 = 0
    private var quarterHour: Int64 = .min
    /// Of the last quarter.
    private var net: Int64 = 0

    package init() {}

    /// Sums of a damaged file may wrap around.
    package mutating func add(_ micros: Int64, in quarterHour: Int64) {
        if quarterHour != self.quarterHour {
            settled = used
            net = 0
            self.quarterHour = quarterHour
        }
        net &+= micros
    }

    package var used: Int64 { max(0, settled &+ net) }
}

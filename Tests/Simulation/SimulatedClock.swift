import Engine
import Ledger

/// Time as the simulation has it: the date may jump, forward and back; intervals only grow.
///
/// `@unchecked Sendable`: a simulation has one thread.
final class SimulatedClock: Clock, @unchecked Sendable {
    private var wall: Instant
    /// The latest date that it ever showed.
    private(set) var latest: Instant
    private var elapsedMicroseconds: Int64 = 0

    init(_ start: Instant) { (wall, latest) = (start, start) }

    func now() -> Instant { wall }

    var monotonicMs: Int { Int(elapsedMicroseconds / 1_000) }

    /// Time goes by.
    func pass(microseconds: Int64) {
        elapsedMicroseconds += microseconds
        jump(to: wall.advanced(microseconds: microseconds))
    }

    /// Somebody sets the machine's date.
    func jump(to date: Instant) {
        wall = date
        latest = max(latest, date)
    }
}

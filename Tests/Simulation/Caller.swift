import Engine
import Ledger
import SeededRandom
import SimulatedDisk

/// Who waits for an answer until a deadline has passed or it cancels: in the middle of whatever the disk does then.
///
/// `@unchecked Sendable`: a simulation has one thread.
final class Caller: StepCaller, @unchecked Sendable {
    private unowned let clock: SimulatedClock
    private unowned let disk: SimulatedDisk
    private let deadlineMs: Int
    /// The call of the disk at which it cancels.
    private let lastCall: Int
    /// For one that has gone before it is heard: what is dated later was decided when it was known to be gone.
    let wentBefore: Instant?

    /// - Parameters:
    ///   - calls: how many calls of the disk it waits for; none for one that has gone before it is heard.
    ///   - milliseconds: how long it waits at the most.
    init(_ clock: SimulatedClock, _ disk: SimulatedDisk, waitsFor calls: Int, milliseconds: Int) {
        self.clock = clock
        self.disk = disk
        lastCall = disk.calls + calls
        wentBefore = calls == 0 ? clock.latest : nil
        deadlineMs = clock.monotonicMs + milliseconds
    }

    /// It never comes back.
    var hasGone: Bool { disk.calls >= lastCall || clock.monotonicMs >= deadlineMs }
}

extension World {
    /// Who waits for the next call: mostly somebody who waits for as long as it takes, of whom nobody need be asked.
    func nextCaller() -> Caller? {
        // In the end everybody is to have an answer.
        guard !isQuiet, random.chance(15) else { return nil }
        let calls =
            switch random.below(10) {
            case 0..<2: 0
            case 2..<5: random.number(1...8)
            case 5..<8: random.number(9...100)
            default: Int.max >> 1
            }
        return Caller(clock, disk, waitsFor: calls, milliseconds: random.number(1...3_000))
    }
}

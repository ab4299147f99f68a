import Ledger
import Locks

#if canImport(Glibc)
    import Glibc
#endif

/// Where the engine's time comes from: the system, or a test's hand.
package protocol Clock: AnyObject, Sendable {
    func now() -> Instant
    /// Milliseconds that only go forward; for intervals, never for dates.
    var monotonicMs: Int { get }
}

extension Clock {
    /// The machine's, unless a clock has its own.
    package var monotonicMs: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time)
        return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    }
}

/// The machine's real-time clock. It may jump; the engine never dates an entry before the one that precedes it.
package final class SystemClock: Clock {
    package init() {}

    package func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
    }
}

/// A clock that stands still until it is told to move, and never moves back.
package final class ManualClock: Clock {
    private let instant: Protected<Instant>

    package init(_ start: Instant) {
        instant = Protected(start)
    }

    package func now() -> Instant {
        instant.withLock { $0 }
    }

    /// Moves to `target` and returns the time that now holds; an earlier target changes nothing.
    @discardableResult
    package func advance(to target: Instant) -> Instant {
        instant.withLock { instant in
            instant = max(instant, target)
            return instant
        }
    }
}

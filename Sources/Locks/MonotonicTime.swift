import Glibc

/// The monotonic clock, in nanoseconds: for waits and intervals, never for dates. One look costs some 25 ns.
package func monotonicNs() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

import Glibc

/// The monotonic clock, in nanoseconds. One look costs some 25 ns, without a system call.
@inline(__always)
func monotonicNs() -> Int64 { nanoseconds(CLOCK_MONOTONIC) }

/// The time of day since 1970, in nanoseconds.
func realtimeNs() -> Int64 { nanoseconds(CLOCK_REALTIME) }

/// What this process spent on a CPU up to now, user and system, in nanoseconds.
func processCPUNs() -> Int64 { nanoseconds(CLOCK_PROCESS_CPUTIME_ID) }

@inline(__always)
private func nanoseconds(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
}

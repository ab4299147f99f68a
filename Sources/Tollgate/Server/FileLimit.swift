import Glibc

/// Every connection and every open shard takes file descriptors, and the usual soft limit of 1,024 is soon reached. The
/// hard limit is what the operator set; up to there the server helps itself.
enum FileLimit {
    /// Raises the soft limit to the hard one.
    ///
    /// - Returns: how many files may be open now.
    static func raise() -> UInt {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        }
        return limit.rlim_cur
    }
}

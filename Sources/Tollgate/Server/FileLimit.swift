import Glibc
import HTTP2
import Storage

/// Every connection and every open shard takes file descriptors, and the usual soft limit of 1,024 is soon reached. The
/// hard limit is what the operator set; up to there the server helps itself, and shares out what it gets, so that neither
/// connections nor shards take what the other, or the journal, needs.
struct FileLimit {
    /// How many files may be open.
    let count: Int
    /// Shards that may stay open, three descriptors each: half of what the server does not need otherwise.
    let shards: Int
    let connections: Int

    init(count: Int) {
        self.count = count
        let shared = max(0, count - Limits.ownOpenFiles)
        shards = min(StorageLimits.maxOpenShards, max(1, shared / 2 / Self.filesPerShard))
        connections = min(HTTP2Configuration().connectionsMax, max(1, shared - shards * Self.filesPerShard))
    }

    private static let filesPerShard = 3

    /// Raises the soft limit to the hard one.
    static func raised() throws(StartupError) -> FileLimit {
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(files, &limit) == 0 else { throw StartupError("the limit of open files cannot be read") }
        if limit.rlim_cur < limit.rlim_max {
            let soft = limit.rlim_cur
            limit.rlim_cur = limit.rlim_max
            if setrlimit(files, &limit) != 0 { limit.rlim_cur = soft }
        }
        let count = Int(clamping: limit.rlim_cur)
        guard count >= Limits.leastOpenFiles else {
            throw StartupError(
                "only \(count) files may be open, and the server needs \(Limits.leastOpenFiles); "
                    + "raise the limit (ulimit -n, LimitNOFILE=)")
        }
        return FileLimit(count: count)
    }
}

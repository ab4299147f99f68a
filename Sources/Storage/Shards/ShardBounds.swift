/// What the open shards may take, and how far their logs grow.
package struct ShardBounds: Sendable {
    /// Shards that stay open.
    package var openShards: Int
    /// Bytes of a log above which it is moved into its file: a quarter of it after a flush of very many records, a sixteenth where
    /// the shard is closed.
    package var checkpointBytes: Int64
    /// Of each open shard; a transaction of more pages writes some of them before it ends.
    package var pageCacheKiB: Int

    package init(
        openShards: Int = StorageLimits.maxOpenShards, checkpointBytes: Int64 = StorageLimits.checkpointBytes,
        pageCacheKiB: Int = StorageLimits.pageCacheKiB
    ) {
        self.openShards = openShards
        self.checkpointBytes = checkpointBytes
        self.pageCacheKiB = pageCacheKiB
    }
}

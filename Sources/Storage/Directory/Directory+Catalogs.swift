import Ledger
import Locks

/// The catalogs that were put in force: what a plan promised at a moment long ago is still asked for. Beyond a bound the
/// oldest are let go of.
extension Directory {
    /// Every catalog that is kept, the oldest first.
    package func catalogs() -> [CatalogRecord] {
        contents.withLock { $0.catalogs }
    }

    /// Puts a catalog in force from a moment on. That which is in force already changes nothing (`isNew` is false).
    ///
    /// - Parameter publish: is given the catalogs that are kept, the new one last, when they are on the disk and before the
    ///   directory's generation grows; not called where nothing changes.
    package func applyCatalog(
        _ json: [UInt8], at instant: Instant, publish: ([CatalogRecord]) -> Void = { _ in }
    ) throws(StorageError) -> (catalog: CatalogRecord, isNew: Bool) {
        try writing.locked { () throws(StorageError) in
            let known = contents.withLock { $0.catalogs }
            let last = known.last
            if let last, last.json == json { return (last, false) }
            guard json.count <= StorageLimits.maxCatalogBytes else {
                throw .limit("a catalog is longer than \(StorageLimits.maxCatalogBytes) bytes")
            }
            // None holds from before the one that it replaces, however the machine's clock jumps.
            let catalog = CatalogRecord(
                version: (last?.version ?? 0) + 1, appliedAt: max(instant, last?.appliedAt ?? instant), json: json)
            let kept = Self.kept(of: known + [catalog])
            try commit(nil) { (file) throws(StorageError) in
                try file.insert(catalog)
                try file.removeCatalogs(before: kept[0].version)
            } _: {
                $0.catalogs = kept
                publish(kept)
            }
            return (catalog, true)
        }
    }

    /// The newest, as many as may be kept; the last one in any case.
    private static func kept(of catalogs: [CatalogRecord]) -> [CatalogRecord] {
        var bytes = 0
        let dropped = catalogs.lastIndex { catalog in
            bytes += catalog.json.count
            return bytes > StorageLimits.maxCatalogHistoryBytes
        }
        let count = min(catalogs.count - (dropped.map { $0 + 1 } ?? 0), StorageLimits.maxCatalogs)
        return Array(catalogs.suffix(max(1, count)))
    }
}

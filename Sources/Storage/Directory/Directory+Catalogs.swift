import Ledger
import Synchronization

/// The catalogs that were put in force, all of them: what a plan promised at a moment long ago is still asked for.
extension Directory {
    /// Every catalog, the oldest first.
    package func catalogs() -> [CatalogRecord] {
        contents.withLock { $0.catalogs }
    }

    /// Puts a catalog in force from a moment on. That which is in force already changes nothing (`isNew` is false).
    package func applyCatalog(
        _ json: [UInt8], at instant: Instant
    ) throws(StorageError) -> (catalog: CatalogRecord, isNew: Bool) {
        try writing.locked { () throws(StorageError) in
            let (last, count) = contents.withLock { ($0.catalogs.last, $0.catalogs.count) }
            if let last, last.json == json { return (last, false) }
            guard json.count <= StorageLimits.maxCatalogBytes else {
                throw .limit("a catalog is longer than \(StorageLimits.maxCatalogBytes) bytes")
            }
            guard count < StorageLimits.maxCatalogs else {
                throw .limit("there are \(count) catalogs, no more are taken")
            }
            // None holds from before the one that it replaces, however the machine's clock jumps.
            let catalog = CatalogRecord(
                version: (last?.version ?? 0) + 1, appliedAt: max(instant, last?.appliedAt ?? instant), json: json)
            try commit(nil) { (file) throws(StorageError) in
                try file.insert(catalog)
            } _: {
                $0.catalogs.append(catalog)
            }
            return (catalog, true)
        }
    }
}

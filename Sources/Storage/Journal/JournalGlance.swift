#if canImport(Glibc)
    import Glibc
#endif

/// Reads a journal without taking it: it locks, mends and changes nothing, and may look while a server writes.
///
/// What a server appends or trims meanwhile may or may not be seen; a torn end is no fault here, recovery decides on it.
package struct JournalGlance {
    private let directory: String
    private let fileSystem: any FileSystem

    package init(directory: String, fileSystem: any FileSystem = LocalFileSystem()) {
        self.directory = directory
        self.fileSystem = fileSystem
    }

    /// How many records of each tenant lie behind the position that `held` names for it, 0 where it names none.
    package func records(beyond held: [TenantID: UInt64]) throws(StorageError) -> [TenantID: UInt64] {
        let names = try fileSystem.list(directory).filter { $0.hasSuffix(Segment.suffix) }
        var counts: [TenantID: UInt64] = [:]
        // From the newest on: a segment may replace the end of the one before it, which was not trusted any more.
        var end = UInt64.max
        for name in names.reversed() {
            guard let bytes = try contents(of: name) else { continue }
            try bytes.readable { (bytes) throws(StorageError) in
                guard var reader = SegmentReader(bytes) else { return }
                while reader.nextPosition < end, let batch = reader.next() {
                    let isWhole = try batch.forEachRecord { (position, tenant, _) throws(StorageError) in
                        if position < end, position > held[tenant] ?? 0 { counts[tenant, default: 0] += 1 }
                    }
                    guard isWhole else {
                        throw .corrupt(
                            path: directory + "/" + name,
                            reason: "the batch of position \(batch.first) is not made of records")
                    }
                }
                end = min(end, reader.header.first)
            }
        }
        return counts
    }

    /// The bytes of a segment; nil where it was trimmed after the directory was listed.
    private func contents(of name: String) throws(StorageError) -> [UInt8]? {
        do throws(StorageError) {
            return try fileSystem.open(directory + "/" + name, .readOnly).readAll()
        } catch {
            if case .system(_, _, ENOENT) = error { return nil }
            throw error
        }
    }
}

import Ledger

#if canImport(Glibc)
    import Glibc
#endif

/// What a journal holds for sure, read without taking it, while a server may be writing and trimming it.
///
/// All batches but the last are durable, as a batch is written only after the one before it. So the last one that is there
/// is synced from here, and counts where it is still there afterwards. What is trimmed meanwhile is missing from what is
/// read then: the shards hold it durably.
struct JournalTail {
    let directory: String
    let fileSystem: any FileSystem

    struct Extent {
        /// The last record that is durable.
        var end: UInt64 = 0
        /// The last of each tenant's records.
        var last: [TenantID: UInt64] = [:]
    }

    /// Every record that was acknowledged before the call is at or before its end.
    func extent() throws(StorageError) -> Extent {
        var extent = Extent(end: try durableEnd())
        try forEachRecord(through: extent.end) { (position, tenant, _) in
            extent.last[tenant] = max(position, extent.last[tenant] ?? 0)
        }
        return extent
    }

    /// Hands over what is still there, in order.
    func forEachRecord(
        through end: UInt64, _ body: (UInt64, TenantID, UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        let names = try segments()
        for (index, name) in names.enumerated() {
            // A segment may replace the end of the one before it, which was not trusted any more.
            let next = index + 1 < names.count ? Segment.first(ofName: names[index + 1]) ?? 0 : .max
            try read(name) { (reader) throws(StorageError) in
                while reader.nextPosition < next, reader.nextPosition <= end, let batch = reader.next() {
                    let isWhole = try batch.forEachRecord { (position, tenant, record) throws(StorageError) in
                        if position < next, position <= end { try body(position, tenant, record) }
                    }
                    guard isWhole else {
                        throw .corrupt(
                            path: directory + "/" + name,
                            reason: "the batch of position \(batch.first) is not made of records")
                    }
                }
            }
        }
    }

    /// Hands over the entries of one of its records, each also as a shard stores it.
    func forEachEntry(
        of record: UnsafeRawBufferPointer, at position: UInt64, _ tenant: TenantID,
        _ body: (EntryView, [UInt8]) throws(StorageError) -> Void
    ) throws(StorageError) {
        func readable<Value>(_ read: () throws(CodecError) -> Value) throws(StorageError) -> Value {
            do throws(CodecError) {
                return try read()
            } catch {
                throw .corrupt(path: directory, reason: "record \(position) of tenant \(tenant): \(error)")
            }
        }
        var entries = try readable { () throws(CodecError) in try EntryViews(ofRecord: record) }
        while let entry = try readable({ () throws(CodecError) in try entries.next() }) {
            try body(entry, [entry.version] + entry.bytes)
        }
    }

    private func durableEnd() throws(StorageError) -> UInt64 {
        for _ in 0..<StorageLimits.maxBackupRounds {
            guard let name = try segments().last else { return 0 }
            guard let before = try end(of: name), try sync(name), try segments().last == name,
                let after = try end(of: name), after >= before
            else { continue }
            return before
        }
        throw .limit("the journal in \(directory) changes faster than it can be looked at; try again")
    }

    private func segments() throws(StorageError) -> [String] {
        try fileSystem.list(directory).filter { $0.hasSuffix(Segment.suffix) && Segment.first(ofName: $0) != nil }
    }

    /// The last record that holds; nil where the segment is gone.
    private func end(of name: String) throws(StorageError) -> UInt64? {
        var end: UInt64?
        try read(name) { (reader) in
            while reader.next() != nil {}
            end = reader.nextPosition - 1
        }
        return end
    }

    /// False where the segment is gone.
    private func sync(_ name: String) throws(StorageError) -> Bool {
        guard let file = try open(name) else { return false }
        defer { file.close() }
        try file.sync()
        return true
    }

    /// Not called where the segment was trimmed after it was listed, or is being used for another.
    private func read(
        _ name: String, _ body: (inout SegmentReader) throws(StorageError) -> Void
    ) throws(StorageError) {
        guard let file = try open(name) else { return }
        defer { file.close() }
        try file.readAll().readable { (bytes) throws(StorageError) in
            guard var reader = SegmentReader(bytes), reader.header.first == Segment.first(ofName: name) else { return }
            try body(&reader)
        }
    }

    private func open(_ name: String) throws(StorageError) -> (any File)? {
        do throws(StorageError) {
            return try fileSystem.open(directory + "/" + name, .readOnly)
        } catch {
            if case .system(_, _, ENOENT) = error { return nil }
            throw error
        }
    }
}

extension Segment {
    /// The first position of the segment of that name; nil where it is not one.
    static func first(ofName name: String) -> UInt64? {
        guard name.hasSuffix(suffix), let first = UInt64(name.dropLast(suffix.count)), Self.name(first: first) == name
        else { return nil }
        return first
    }
}

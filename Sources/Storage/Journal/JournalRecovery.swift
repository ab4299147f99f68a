/// Finds out what a journal's directory holds, and leaves it so that appends can go on.
struct JournalRecovery {
    let directory: String
    let fileSystem: any FileSystem

    struct Result {
        var segments: [Segment]
        var durable: UInt64
        var writer: SegmentWriter?
    }

    func run() throws(StorageError) -> Result {
        let names = try fileSystem.list(directory)
        // Spares that were being made or filled hold nothing that counts.
        for name in names where name.hasSuffix(Segment.spareSuffix) { try fileSystem.remove(directory + "/" + name) }
        let segmentNames = names.filter { $0.hasSuffix(Segment.suffix) }
        var result = Result(segments: [], durable: 0, writer: nil)
        for (index, name) in segmentNames.enumerated() {
            try read(directory + "/" + name, name: name, isLast: index == segmentNames.count - 1, into: &result)
        }
        return result
    }

    private func read(_ path: String, name: String, isLast: Bool, into result: inout Result) throws(StorageError) {
        let file = try fileSystem.open(path, .existing)
        let bytes = try file.readAll()
        try bytes.readable { (bytes) throws(StorageError) in
            guard var reader = SegmentReader(bytes), name == Segment.name(first: reader.header.first) else {
                throw .corrupt(path: path, reason: "its header is damaged")
            }
            try checkPredecessor(of: reader.header, result)
            while reader.next() != nil {}
            if isLast, let behind = reader.batchBehindEnd() {
                throw .corrupt(
                    path: path,
                    reason:
                        "position \(reader.nextPosition) does not check at byte \(reader.offset), but a later batch does "
                        + "at byte \(behind)")
            }
            let segment = Segment(
                first: reader.header.first, epoch: reader.header.epoch, path: path, usedBytes: Int64(reader.offset),
                fileBytes: Int64(bytes.count))
            result.segments.append(segment)
            result.durable = reader.nextPosition - 1
            if isLast { result.writer = try settleTail(of: reader, bytes, in: file) }
        }
    }

    /// A segment may begin earlier than the one before it ended (what was behind was not trusted), never later.
    private func checkPredecessor(of header: SegmentHeader, _ result: Result) throws(StorageError) {
        guard let last = result.segments.last else { return }
        guard header.first <= result.durable + 1 else {
            throw .corrupt(
                path: last.path,
                reason:
                    "position \(result.durable + 1) does not check at byte \(last.usedBytes), but the next segment begins "
                    + "at \(header.first)")
        }
        guard header.epoch > last.epoch else {
            throw .corrupt(path: last.path, reason: "it is newer than the segment that follows it")
        }
    }

    /// What was read may come from the kernel's memory alone, where a sync failed before the process ended. So the last batch
    /// is written once more, the header of a torn one behind it is overwritten, and both are synced.
    private func settleTail(
        of reader: SegmentReader, _ bytes: UnsafeRawBufferPointer, in file: any File
    ) throws(StorageError) -> SegmentWriter {
        let start = reader.lastBatchOffset ?? 0
        try file.write(UnsafeRawBufferPointer(rebasing: bytes[start..<reader.offset]), at: Int64(start))
        let tail = min(BatchHeader.byteCount, bytes.count - reader.offset)
        try file.write([UInt8](repeating: 0, count: tail), at: Int64(reader.offset))
        try file.sync()
        try fileSystem.syncDirectory(directory)
        return SegmentWriter(
            file: file, salt: reader.header.salt, capacity: Int64(bytes.count), offset: Int64(reader.offset),
            chain: reader.chain)
    }
}

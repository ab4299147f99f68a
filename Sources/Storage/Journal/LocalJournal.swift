import Locks
import Synchronization

/// The journal on the local disk: segment files that are allocated and written beforehand and overwritten in place.
///
/// What holds at all times: the segments' first positions and epochs grow; a segment's records end where the next one begins;
/// what stands behind that, or behind the first batch that does not check, is no part of the journal. After a failed write
/// or sync nothing is trusted that the segment holds beyond the durable position (the kernel drops what it could not
/// write and reports it once): the next append begins a new segment, whose header supersedes it.
///
/// `@unchecked Sendable`: `writer` and `hasFailed` belong to the one thread that appends (and to `init` and `close`); the rest guards itself.
package final class LocalJournal: Journal, @unchecked Sendable {
    private let directory: String
    private let fileSystem: any FileSystem
    private let segmentBytes: Int64
    private let randomSalt: @Sendable () -> UInt64
    private let spares: SparePreparer
    private let segments: Protected<[Segment]>
    private let durable: Atomic<UInt64>
    private let trimming = Lock()
    private var writer: SegmentWriter?
    private var hasFailed = false

    /// Opens the journal in a directory that is there, and recovers: checks every segment, cuts a torn tail, and makes sure that
    /// what it then calls durable is.
    ///
    /// - Parameters:
    ///   - spares: Who prepares spare files.
    ///   - randomSalt: Where the segments' salts come from.
    package init(
        directory: String, fileSystem: any FileSystem = LocalFileSystem(),
        segmentBytes: Int64 = StorageLimits.segmentBytes,
        spares preparation: SparePreparation = .inBackground,
        randomSalt: @escaping @Sendable () -> UInt64 = { .random(in: 1 ... .max) }
    ) throws(StorageError) {
        self.directory = directory
        self.fileSystem = fileSystem
        self.segmentBytes = segmentBytes
        self.randomSalt = randomSalt
        spares = SparePreparer(
            directory: directory, fileSystem: fileSystem, segmentBytes: segmentBytes, preparation: preparation)
        let recovered = try JournalRecovery(directory: directory, fileSystem: fileSystem).run()
        segments = Protected(recovered.segments)
        durable = Atomic(recovered.durable)
        writer = recovered.writer
        // The first segment is made now, so that no step waits for it.
        if writer == nil { try beginSegment(with: JournalBatch(first: 1)) }
    }

    package var durablePosition: UInt64 { durable.load(ordering: .acquiring) }

    package var firstPosition: UInt64 {
        let next = durablePosition + 1
        return segments.withLock { $0.first?.first ?? next }
    }

    package var byteCount: Int64 { segments.withLock { $0.reduce(0) { $0 + $1.usedBytes } } }

    /// Prepares a spare file, if one is wanted and that is left to who calls this; false where there was nothing to do.
    package func prepareSpare() -> Bool { spares.prepareWanted() }

    // MARK: - Appending

    package func append(_ batch: borrowing JournalBatch) throws(StorageError) {
        guard batch.count > 0 else {
            if hasFailed { try beginSegment(with: batch) }
            return
        }
        precondition(batch.first == durablePosition + 1, "a batch begins right behind the durable position")
        guard batch.byteCount <= StorageLimits.maxBatchBytes else {
            throw .limit("a batch of \(batch.byteCount) bytes is larger than the journal takes")
        }
        if hasFailed || !(writer?.hasRoom(for: batch) ?? false) {
            try beginSegment(with: batch)
        } else {
            try writeInPlace(batch)
        }
        durable.store(batch.last, ordering: .releasing)
        if let writer, writer.offset * 2 > writer.capacity { spares.prepare() }
    }

    private func writeInPlace(_ batch: borrowing JournalBatch) throws(StorageError) {
        let start = writer!.offset
        do throws(StorageError) {
            try writer!.append(batch)
        } catch {
            hasFailed = true
            writer!.scrub(at: start)
            throw error
        }
        let end = writer!.offset
        segments.withLock { $0[$0.count - 1].usedBytes = end }
    }

    /// Begins a segment behind the durable position with a batch that may be empty. The file gets its name only when
    /// everything in it is durable.
    private func beginSegment(with batch: borrowing JournalBatch) throws(StorageError) {
        let first = durablePosition + 1
        let epoch = (segments.withLock { $0.last?.epoch } ?? 0) + 1
        let target = directory + "/" + Segment.name(first: first)
        hasFailed = true
        let (file, path, capacity) = try blankFile(for: batch)
        defer { if path == spares.path { spares.release() } }
        var begun: SegmentWriter?
        do throws(StorageError) {
            begun = try SegmentWriter(
                beginning: SegmentHeader(first: first, epoch: epoch, salt: randomSalt()), in: file, capacity: capacity)
            if batch.count > 0 { try begun!.append(batch) }
            try file.sync()
            // Where the failed segment began at the same position, it has nothing that counts and is replaced.
            try fileSystem.rename(path, to: target)
            try fileSystem.syncDirectory(directory)
        } catch {
            // Whichever name it has by now, the batch must not be found in it.
            begun?.scrub(at: Int64(SegmentHeader.byteCount))
            throw error
        }
        writer?.file.close()
        writer = begun
        hasFailed = false
        let segment = Segment(
            first: first, epoch: epoch, path: target, usedBytes: begun!.offset, fileBytes: capacity)
        segments.withLock { segments in
            if segments.last?.first == first { segments.removeLast() }
            segments.append(segment)
        }
    }

    private func blankFile(
        for batch: borrowing JournalBatch
    ) throws(StorageError) -> (any File, path: String, capacity: Int64) {
        let needed = Int64(SegmentHeader.byteCount + BatchHeader.byteCount + batch.byteCount)
        if needed <= segmentBytes, let file = spares.take() { return (file, spares.path, segmentBytes) }
        let path = directory + "/fresh" + Segment.spareSuffix
        let isFirst = writer == nil
        let capacity = max(isFirst ? min(segmentBytes, StorageLimits.firstSegmentBytes) : segmentBytes, needed)
        let file = try fileSystem.open(path, .create)
        do throws(StorageError) {
            if isFirst {
                _ = try file.fill(capacity)
            } else {
                // A step waits: room is enough, the zeros would take longer than they save.
                try file.allocate(capacity)
                try file.truncate(to: capacity)
            }
            return (file, path, capacity)
        } catch {
            // A disk that has no room for all of it gets the part back.
            fileSystem.discard(path)
            throw error
        }
    }

    // MARK: - Reading and trimming

    package func replay(
        after position: UInt64,
        _ body: (_ position: UInt64, _ tenant: TenantID, _ record: UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        let all = segments.withLock { $0 }
        let durable = durablePosition
        for (index, segment) in all.enumerated() {
            let end = index + 1 < all.count ? all[index + 1].first : durable + 1
            if end <= position + 1 { continue }
            try segment.replay(in: fileSystem, after: position, before: end, body)
        }
    }

    package func trim(through position: UInt64) throws(StorageError) {
        try trimming.locked { () throws(StorageError) in
            while let oldest = segments.withLock({ $0.count > 1 && $0[1].first <= position + 1 ? $0[0] : nil }) {
                if try !spares.recycle(oldest) { try fileSystem.remove(oldest.path) }
                segments.withLock { _ = $0.removeFirst() }
                // One by one, so that a power cut cannot leave a gap.
                try fileSystem.syncDirectory(directory)
            }
        }
    }

    package func close() {
        spares.close()
        writer?.file.close()
        writer = nil
        hasFailed = true
    }
}

extension Segment {
    fileprivate func replay(
        in fileSystem: any FileSystem, after position: UInt64, before end: UInt64,
        _ body: (UInt64, TenantID, UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        let bytes = try fileSystem.open(path, .readOnly).readAll()
        try bytes.readable { (bytes) throws(StorageError) in
            guard var reader = SegmentReader(bytes) else { throw .corrupt(path: path, reason: "its header is damaged") }
            while reader.nextPosition < end, let batch = reader.next() {
                let isWhole = try batch.forEachRecord { (at, tenant, record) throws(StorageError) in
                    if at > position, at < end { try body(at, tenant, record) }
                }
                guard isWhole else {
                    throw .corrupt(path: path, reason: "the batch of position \(batch.first) is not made of records")
                }
            }
            guard reader.nextPosition >= end else {
                throw .corrupt(
                    path: path, reason: "position \(reader.nextPosition) does not check at byte \(reader.offset)")
            }
        }
    }
}

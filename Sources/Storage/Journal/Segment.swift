/// A segment file of the journal, as its list knows it.
struct Segment: Sendable {
    let first: UInt64
    let epoch: UInt64
    let path: String
    /// Bytes from its beginning to the end of its last batch.
    var usedBytes: Int64
    /// Bytes of the file.
    let fileBytes: Int64

    /// Segments are named by their first position, so that names sort as positions do.
    static func name(first: UInt64) -> String {
        let digits = String(first)
        return String(repeating: "0", count: 20 - digits.count) + digits + suffix
    }

    static let suffix = ".seg"
    static let spareSuffix = ".spare"
}

/// The end of the journal: the segment that is being written.
struct SegmentWriter {
    let file: any File
    let salt: UInt64
    let capacity: Int64
    private(set) var offset: Int64
    private var chain: UInt32

    /// Goes on where a reader found the end.
    init(file: any File, salt: UInt64, capacity: Int64, offset: Int64, chain: UInt32) {
        self.file = file
        self.salt = salt
        self.capacity = capacity
        self.offset = offset
        self.chain = chain
    }

    /// Begins a segment in a file of at least the header's size. Nothing is synced yet.
    init(beginning header: SegmentHeader, in file: any File, capacity: Int64) throws(StorageError) {
        let (bytes, sum) = header.encoded()
        try file.write(bytes, at: 0)
        self.init(
            file: file, salt: header.salt, capacity: capacity, offset: Int64(SegmentHeader.byteCount), chain: sum)
    }

    func hasRoom(for batch: borrowing JournalBatch) -> Bool {
        offset + Int64(BatchHeader.byteCount + batch.byteCount) <= capacity
    }

    /// Writes the batch, durably.
    mutating func append(_ batch: borrowing JournalBatch) throws(StorageError) {
        let (header, sum) = BatchHeader(batch, salt: salt, previous: chain).encoded()
        try file.append(header, batch.payload, at: offset)
        offset += Int64(header.count + batch.byteCount)
        chain = sum
    }

    /// Overwrites the header of a batch that failed at `offset`, so that it does not come back even though its segment is not
    /// trusted any more. The disk has just failed: where it fails again, the next segment says the same.
    func scrub(at offset: Int64) {
        guard offset + Int64(BatchHeader.byteCount) <= capacity else { return }
        do throws(StorageError) {
            try file.write([UInt8](repeating: 0, count: BatchHeader.byteCount), at: offset)
            try file.sync()
        } catch {
            // The caller throws the failure that came first.
        }
    }
}

import CLinux

/// What a segment file begins with: 64 bytes, little-endian.
///
/// | offset | bytes | |
/// |---|---|---|
/// | 0 | 8 | `TGJOURN1`: what it is, and the version of the format |
/// | 8 | 8 | position of its first record |
/// | 16 | 8 | epoch: grows with every segment that is begun |
/// | 24 | 8 | salt: random; stands in every batch of the segment, so that what an earlier use of the file left cannot pass for one |
/// | 32 | 28 | zero |
/// | 60 | 4 | CRC-32C of the bytes before |
struct SegmentHeader: Equatable {
    static let byteCount = 64
    private static let magic: UInt64 = 0x314E_5255_4F4A_4754

    var first: UInt64
    var epoch: UInt64
    var salt: UInt64

    init(first: UInt64, epoch: UInt64, salt: UInt64) {
        self.first = first
        self.epoch = epoch
        self.salt = salt
    }

    /// Nil where the bytes are not a whole header, or name a position or an epoch that no journal reaches: reckoning with
    /// one would end the process.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.byteCount, bytes.word64(at: 0) == Self.magic,
            bytes.word32(at: 60) == checksum(bytes, 0..<60), StorageLimits.positions.contains(bytes.word64(at: 8)),
            StorageLimits.positions.contains(bytes.word64(at: 16))
        else { return nil }
        self.init(first: bytes.word64(at: 8), epoch: bytes.word64(at: 16), salt: bytes.word64(at: 24))
    }

    /// The bytes, and their checksum, with which the chain of the segment's batches begins.
    func encoded() -> (bytes: [UInt8], checksum: UInt32) {
        var bytes: [UInt8] = []
        bytes.append(word: Self.magic)
        bytes.append(word: first)
        bytes.append(word: epoch)
        bytes.append(word: salt)
        bytes.append(contentsOf: repeatElement(0, count: 28))
        let sum = bytes.readable { checksum($0, 0..<60) }
        bytes.append(word: sum)
        return (bytes, sum)
    }
}

/// What a batch begins with: 40 bytes, little-endian, followed by its records.
///
/// | offset | bytes | |
/// |---|---|---|
/// | 0 | 8 | the segment's salt |
/// | 8 | 8 | position of its first record |
/// | 16 | 4 | number of records |
/// | 20 | 4 | bytes of the records |
/// | 24 | 4 | checksum of the batch header before it, or of the segment's header |
/// | 28 | 4 | CRC-32C of the records |
/// | 32 | 4 | zero |
/// | 36 | 4 | CRC-32C of the bytes before |
///
/// A record is the tenant's name and the record's bytes, each behind its length as a varint.
struct BatchHeader: Equatable {
    static let byteCount = 40

    var salt: UInt64
    var first: UInt64
    var count: UInt32
    var payloadBytes: UInt32
    var previous: UInt32
    var payloadChecksum: UInt32

    init(_ batch: borrowing JournalBatch, salt: UInt64, previous: UInt32) {
        self.init(salt: salt, first: batch.first, count: batch.count, payload: batch.payload, previous: previous)
    }

    init(salt: UInt64, first: UInt64, count: Int, payload: [UInt8], previous: UInt32) {
        self.salt = salt
        self.first = first
        self.count = UInt32(count)
        payloadBytes = UInt32(payload.count)
        self.previous = previous
        payloadChecksum = payload.readable { checksum($0, 0..<$0.count) }
    }

    /// Whether these are the bytes that the header is about.
    func describes(_ payload: UnsafeRawBufferPointer) -> Bool {
        payload.count == Int(payloadBytes) && checksum(payload, 0..<payload.count) == payloadChecksum
    }

    /// The header at `offset` with a checksum that holds, and that checksum; the records are not looked at.
    static func read(_ bytes: UnsafeRawBufferPointer, at offset: Int) -> (header: BatchHeader, checksum: UInt32)? {
        guard offset + byteCount <= bytes.count else { return nil }
        let header = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + byteCount])
        let sum = checksum(header, 0..<36)
        guard header.word32(at: 36) == sum else { return nil }
        return (BatchHeader(header), sum)
    }

    private init(_ bytes: UnsafeRawBufferPointer) {
        salt = bytes.word64(at: 0)
        first = bytes.word64(at: 8)
        count = bytes.word32(at: 16)
        payloadBytes = bytes.word32(at: 20)
        previous = bytes.word32(at: 24)
        payloadChecksum = bytes.word32(at: 28)
    }

    func encoded() -> (bytes: [UInt8], checksum: UInt32) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.byteCount)
        bytes.append(word: salt)
        bytes.append(word: first)
        bytes.append(word: count)
        bytes.append(word: payloadBytes)
        bytes.append(word: previous)
        bytes.append(word: payloadChecksum)
        bytes.append(word: UInt32(0))
        let sum = bytes.readable { checksum($0, 0..<36) }
        bytes.append(word: sum)
        return (bytes, sum)
    }
}

private func checksum(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> UInt32 {
    let part = UnsafeRawBufferPointer(rebasing: bytes[range])
    return cl_crc32c(0, part.baseAddress, part.count)
}

/// The records of one segment's bytes, as far as the chain of checksums holds.
struct SegmentReader {
    let header: SegmentHeader
    private let bytes: UnsafeRawBufferPointer
    /// Where the next batch begins, which is the end of what holds once `next` has returned nil.
    private(set) var offset = SegmentHeader.byteCount
    private(set) var nextPosition: UInt64
    private(set) var chain: UInt32
    /// Where the last batch that holds begins.
    private(set) var lastBatchOffset: Int?

    struct Batch {
        let first: UInt64
        let count: Int
        let payload: UnsafeRawBufferPointer
    }

    /// Nil where the bytes do not begin with a segment's header.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard let header = SegmentHeader(bytes) else { return nil }
        self.header = header
        self.bytes = bytes
        nextPosition = header.first
        chain = header.encoded().checksum
    }

    /// The next batch; nil at the end of what holds.
    mutating func next() -> Batch? {
        guard let (batch, sum) = BatchHeader.read(bytes, at: offset), batch.salt == header.salt,
            batch.previous == chain, batch.first == nextPosition, batch.count > 0,
            let payload = payload(of: batch, at: offset)
        else { return nil }
        lastBatchOffset = offset
        offset += BatchHeader.byteCount + payload.count
        nextPosition += UInt64(batch.count)
        chain = sum
        return Batch(first: batch.first, count: Int(batch.count), payload: payload)
    }

    private func payload(of batch: BatchHeader, at offset: Int) -> UnsafeRawBufferPointer? {
        let start = offset + BatchHeader.byteCount
        guard Int(batch.payloadBytes) <= bytes.count - start else { return nil }
        let payload = UnsafeRawBufferPointer(rebasing: bytes[start..<start + Int(batch.payloadBytes)])
        return checksum(payload, 0..<payload.count) == batch.payloadChecksum ? payload : nil
    }

    /// Where a whole batch of this segment stands behind the end of what holds. A batch is written only once the one before it
    /// is durable, so there can be none behind a torn one: what does not hold was damaged later.
    func batchBehindEnd() -> Int? {
        let salt = withUnsafeBytes(of: header.salt.littleEndian) { Array($0) }
        var at = offset + 1
        while at + BatchHeader.byteCount <= bytes.count {
            if bytes[at] == salt[0], bytes[at..<at + 8].elementsEqual(salt),
                let (batch, _) = BatchHeader.read(bytes, at: at), batch.first > nextPosition,
                payload(of: batch, at: at) != nil
            {
                return at
            }
            at += 1
        }
        return nil
    }
}

extension SegmentReader.Batch {
    /// Hands over each record; false where the bytes are not the records that they should be.
    func forEachRecord(
        _ body: (UInt64, TenantID, UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) -> Bool {
        var offset = 0
        for index in 0..<count {
            guard let name = part(at: &offset), let tenant = TenantID(bytes: name), let record = part(at: &offset)
            else { return false }
            try body(first + UInt64(index), tenant, record)
        }
        return offset == payload.count
    }

    private func part(at offset: inout Int) -> UnsafeRawBufferPointer? {
        guard let length = Varint.read(payload, at: &offset), length <= UInt64(payload.count - offset) else {
            return nil
        }
        defer { offset += Int(length) }
        return UnsafeRawBufferPointer(rebasing: payload[offset..<offset + Int(length)])
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func word32(at offset: Int) -> UInt32 {
        UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    fileprivate func word64(at offset: Int) -> UInt64 {
        UInt64(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

extension [UInt8] {
    fileprivate mutating func append(word: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: word.littleEndian) { append(contentsOf: $0) }
    }
}

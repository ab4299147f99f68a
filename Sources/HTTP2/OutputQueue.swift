/// The bytes of one stream that wait to be sent, in pieces. The first piece has a place of its own, so that a unary
/// answer costs no list.
struct OutputQueue {
    private var first: [UInt8] = []
    private var firstOffset = 0
    private var rest: [[UInt8]] = []
    private var restOffset = 0
    /// What waits.
    private(set) var byteCount = 0

    /// Takes the bytes over without copying them.
    mutating func append(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        if byteCount == 0 {
            first = bytes
            firstOffset = 0
        } else if let last = rest.indices.last, rest[last].count + bytes.count <= Limits.joinedChunkBytesMax {
            rest[last].append(contentsOf: bytes)
        } else {
            rest.append(bytes)
        }
        byteCount += bytes.count
    }

    /// Takes a copy of the bytes, in memory that an earlier piece left where there is some.
    mutating func append(copying bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty else { return }
        if byteCount == 0 {
            first.removeAll(keepingCapacity: true)
            first.append(contentsOf: bytes)
            firstOffset = 0
        } else if rest.isEmpty, first.count + bytes.count <= Limits.joinedChunkBytesMax {
            first.append(contentsOf: bytes)
        } else if let last = rest.indices.last, rest[last].count + bytes.count <= Limits.joinedChunkBytesMax {
            rest[last].append(contentsOf: bytes)
        } else {
            rest.append(Array(bytes))
        }
        byteCount += bytes.count
    }

    /// Moves up to `target.count` bytes into the target, and answers how many.
    mutating func read(into target: UnsafeMutableRawBufferPointer) -> Int {
        var written = 0
        while written < target.count, byteCount > 0 {
            let count = min(first.count - firstOffset, target.count - written)
            first.withUnsafeBytes { source in
                target.baseAddress!.advanced(by: written)
                    .copyMemory(from: source.baseAddress!.advanced(by: firstOffset), byteCount: count)
            }
            firstOffset += count
            written += count
            byteCount -= count
            if firstOffset == first.count { advance() }
        }
        return written
    }

    /// Forgets what waits; a small piece of memory is kept for the next one.
    mutating func removeAll() {
        byteCount = 0
        firstOffset = 0
        letGoOfFirst()
        guard !rest.isEmpty else { return }
        rest = []
        restOffset = 0
    }

    private mutating func letGoOfFirst() {
        if first.capacity > Limits.keptOutputBytes { first = [] }
    }

    private mutating func advance() {
        firstOffset = 0
        guard restOffset < rest.count else {
            letGoOfFirst()
            rest.removeAll(keepingCapacity: true)
            restOffset = 0
            return
        }
        first = rest[restOffset]
        rest[restOffset] = []
        restOffset += 1
        if restOffset == rest.count {
            rest.removeAll(keepingCapacity: true)
            restOffset = 0
        } else if restOffset >= 64, restOffset * 2 >= rest.count {
            rest.removeFirst(restOffset)
            restOffset = 0
        }
    }
}

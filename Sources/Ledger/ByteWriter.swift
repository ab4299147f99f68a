/// Numbers and texts as the codec writes them: into a little room on the stack, and on to the array that they are for all at
/// once, as each appending to an array asks anew whether it is shared and large enough.
struct ByteWriter: ~Copyable {
    private let room: UnsafeMutableRawBufferPointer
    /// How much of the room is written.
    private var count = 0
    /// What the room had to be emptied of.
    private var written: [UInt8] = []

    private init(_ room: UnsafeMutableRawBufferPointer) {
        precondition(room.count >= Self.most, "a room that a number does not fit")
        self.room = room
    }

    /// Appends what `body` writes.
    @inline(__always)
    static func append(to bytes: inout [UInt8], _ body: (inout ByteWriter) -> Void) {
        withUnsafeTemporaryAllocation(byteCount: Limits.writerRoomBytes, alignment: 1) { room in
            var writer = ByteWriter(room)
            body(&writer)
            if !writer.written.isEmpty { bytes.append(contentsOf: writer.written) }
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: room[..<writer.count]))
        }
    }

    /// The longest that is written at once: a varint of 64 bits.
    private static let most = 10

    /// There is room for anything but a text then.
    @inline(__always)
    private mutating func makeRoom() {
        if room.count - count < Self.most { empty() }
    }

    @inline(never)
    private mutating func empty() {
        written.append(contentsOf: UnsafeRawBufferPointer(rebasing: room[..<count]))
        count = 0
    }

    /// There is room for it.
    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        assert(count < room.count, "no room was made")
        room.baseAddress.unsafelyUnwrapped.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        makeRoom()
        put(byte)
    }

    /// Seven bits a byte, the low ones first.
    @inline(__always)
    mutating func appendVarint(_ value: UInt64) {
        makeRoom()
        var rest = value
        while rest >= 0x80 {
            put(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        put(UInt8(truncatingIfNeeded: rest))
    }

    /// Small numbers of either sign are short.
    @inline(__always)
    mutating func appendZigZag(_ value: Int64) {
        appendVarint(value.zigZag)
    }

    @inline(__always)
    mutating func appendFixed(_ value: UInt64) {
        makeRoom()
        room.storeBytes(of: value.littleEndian, toByteOffset: count, as: UInt64.self)
        count &+= 8
    }

    @inline(__always)
    mutating func append(_ id: StepID) {
        appendFixed(id.high.byteSwapped)
        appendFixed(id.low.byteSwapped)
    }

    mutating func append(_ text: String) {
        text.withBytes { bytes in
            appendVarint(UInt64(bytes.count))
            append(bytes)
        }
    }

    private mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        if bytes.count > room.count - count {
            empty()
            guard bytes.count <= room.count else { return written.append(contentsOf: bytes) }
        }
        UnsafeMutableRawBufferPointer(rebasing: room[count...]).copyMemory(from: UnsafeRawBufferPointer(bytes))
        count &+= bytes.count
    }

    /// The name of a unit: twice its length and the text, or an odd code that says which of `UnitNames` it is.
    mutating func append(unit: String) {
        unit.withBytes { bytes in
            if let number = UnitNames.number(of: bytes) {
                appendVarint(UInt64(number) << 1 | 1)
            } else {
                appendVarint(UInt64(bytes.count) << 1)
                append(bytes)
            }
        }
    }

    /// A distance in time: whole seconds are short. Code 1, microseconds of nothing, says that eight bytes follow.
    mutating func appendDistance(from start: Instant, to end: Instant) {
        let distance = end.microseconds &- start.microseconds
        let (seconds, rest) = distance.quotientAndRemainder(dividingBy: 1_000_000)
        if rest == 0 {
            appendVarint(seconds.zigZag << 1)
        } else if distance.zigZag >> 63 == 0 {
            appendVarint(distance.zigZag << 1 | 1)
        } else {
            append(1)
            appendFixed(UInt64(bitPattern: distance))
        }
    }
}

extension String {
    /// Its UTF-8 in place: only a text that lies somewhere else than Swift's own is copied.
    @inline(__always)
    fileprivate func withBytes(_ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        if utf8.withContiguousStorageIfAvailable(body) == nil {
            var copy = self
            copy.withUTF8(body)
        }
    }
}

extension Int64 {
    @inline(__always)
    var zigZag: UInt64 { UInt64(bitPattern: self << 1 ^ self >> 63) }

    @inline(__always)
    init(zigZag: UInt64) {
        self = Int64(bitPattern: zigZag >> 1) ^ -Int64(bitPattern: zigZag & 1)
    }
}

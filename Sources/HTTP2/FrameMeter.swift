/// Walks over the heads of the frames that a peer sends, before nghttp2 sees them, and says what they cost.
///
/// nghttp2 tells nothing of frames that it ignores, and of those with padding no more than that they came: who counts what it
/// tells counts no flood of unknown frames. A head is nine bytes (RFC 9113 section 4.1); payloads are skipped.
///
/// What a call needs is free or pays for itself: an honest peer that updates windows as it reads, and cuts its messages as it
/// likes, earns more by the calls that it makes than it spends.
struct FrameMeter {
    private let role: HTTP2Connection.Role
    /// Bytes up to the next frame's head.
    private var skippedBytes: Int
    /// The beginning of a head whose end has not come: its first five bytes, and how many there are.
    private var partialHead: UInt64 = 0
    private var partialBytes = 0
    /// HEADERS frames that came.
    private(set) var headersFrames = 0

    private static let headBytes = 9
    private static let prefaceBytes = 24

    init(_ role: HTTP2Connection.Role) {
        self.role = role
        skippedBytes = role == .server ? Self.prefaceBytes : 0
    }

    /// What the frames cost whose heads end within these bytes, in tokens; negative where they bring some.
    mutating func cost(of bytes: UnsafeRawBufferPointer) -> Int {
        var cost = 0
        var at = 0
        while true {
            let step = min(skippedBytes, bytes.count - at)
            at += step
            skippedBytes -= step
            guard skippedBytes == 0 else { return cost }
            if partialBytes == 0, bytes.count - at >= Self.headBytes {
                let word = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
                at += Self.headBytes
                cost += frame(head: word >> 24)
            } else {
                while at < bytes.count, partialBytes < Self.headBytes {
                    if partialBytes < 5 { partialHead = partialHead << 8 | UInt64(bytes[at]) }
                    partialBytes += 1
                    at += 1
                }
                guard partialBytes == Self.headBytes else { return cost }
                cost += frame(head: partialHead)
                partialHead = 0
                partialBytes = 0
            }
        }
    }

    /// - Parameter head: length, type and flags, the first five bytes.
    private mutating func frame(head: UInt64) -> Int {
        let length = Int(head >> 16)
        let flags = UInt8(truncatingIfNeeded: head)
        skippedBytes = length
        switch UInt8(truncatingIfNeeded: head >> 8) {
        case 0x0:
            if flags & Self.padded != 0 { return 1 }
            if flags & Self.endStream != 0 { return 0 }
            // Of what a server sends us the smallest answer is five bytes.
            if role == .client { return length == 0 ? 1 : 0 }
            return length < Limits.smallDataBytes ? 1 : -1
        case 0x1:
            headersFrames += 1
            return flags & Self.padded != 0 ? 1 : 0
        case 0x3, 0x8:
            // A server resets and credits as we call it.
            return role == .client ? 0 : 1
        default:
            return 1
        }
    }

    private static let endStream: UInt8 = 0x1
    private static let padded: UInt8 = 0x8
}

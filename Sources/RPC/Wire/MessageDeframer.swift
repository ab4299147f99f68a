import Protobuf

/// Why the bytes of a call are not a sequence of gRPC messages that are taken here.
package enum DeframeError: Error, Sendable, Hashable {
    /// A prefix announces more than the limit. It is found before the message is buffered.
    case tooLarge(bytes: Int, limit: Int)
    /// A message says that it is compressed, and no encoding but identity was agreed on.
    case compressed
    /// The first byte of a prefix is neither 0 nor 1.
    case badFlag(UInt8)

    /// What the peer is told (WIRE.md, gRPC 6 and 7).
    package var rpcError: RPCError {
        switch self {
        case .tooLarge(let bytes, let limit):
            RPCError(code: .resourceExhausted, message: "message of \(bytes) bytes is over the limit of \(limit)")
        case .compressed:
            RPCError(code: .internal, message: "compressed message without an encoding that says how")
        case .badFlag(let flag):
            RPCError(code: .internal, message: "message prefix with the unknown flag \(flag)")
        }
    }
}

/// Cuts the bytes of a call into messages: each has a flag byte, a big-endian length of 4 bytes and as many bytes.
///
/// It decides on the 5-byte prefix alone, so that an oversized message is refused before it is buffered. It holds at
/// most what was pushed and not yet taken, which flow control bounds.
package struct MessageDeframer: Sendable {
    /// The bytes before each message.
    package static let prefixBytes = 5

    /// The largest message that is taken.
    private let limit: Int
    /// What was pushed; everything before `start` was taken.
    private var buffer: [UInt8] = []
    /// The first byte that was not taken.
    private var start = 0

    /// A deframer that refuses messages above the limit, in bytes without the prefix.
    package init(limit: Int) { self.limit = limit }

    /// How many bytes were pushed and not taken.
    package var pendingBytes: Int { buffer.count - start }

    /// Forgets what was pushed, and keeps so much memory at most.
    package mutating func removeAll(keepingBytes byteCount: Int) {
        start = 0
        if buffer.capacity > byteCount {
            buffer = []
        } else if !buffer.isEmpty {
            buffer.removeAll(keepingCapacity: true)
        }
    }

    /// Adds what arrived.
    package mutating func push(_ bytes: UnsafeRawBufferPointer) {
        if start > 0, start == buffer.count {
            buffer.removeAll(keepingCapacity: true)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// Takes the next whole message, without its prefix; nil where more must arrive first.
    package mutating func next() throws(DeframeError) -> [UInt8]? {
        guard let range = try nextRange() else { return nil }
        let message = Array(buffer[range])
        take(through: range.upperBound)
        return message
    }

    /// As `next()`, but shows the message in place. The body runs at most once.
    package mutating func withNext<R>(_ body: (UnsafeRawBufferPointer) -> R) throws(DeframeError) -> R? {
        guard let range = try nextRange() else { return nil }
        let result = buffer.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
        take(through: range.upperBound)
        return result
    }

    /// The message in bytes that are exactly one message with its prefix; nil where they are anything else. This is the
    /// way of nearly all unary calls, and it copies nothing.
    package static func single(
        in bytes: UnsafeRawBufferPointer, limit: Int
    ) throws(DeframeError) -> UnsafeRawBufferPointer? {
        guard let length = try length(in: bytes, limit: limit).get(), bytes.count == prefixBytes + length else {
            return nil
        }
        return UnsafeRawBufferPointer(rebasing: bytes[prefixBytes...])
    }

    /// Where the next message stands in the buffer, if it is whole.
    private func nextRange() throws(DeframeError) -> Range<Int>? {
        let announced = buffer.withUnsafeBytes { bytes in
            MessageDeframer.length(in: UnsafeRawBufferPointer(rebasing: bytes[start...]), limit: limit)
        }
        guard let length = try announced.get(), pendingBytes >= MessageDeframer.prefixBytes + length else { return nil }
        let first = start + MessageDeframer.prefixBytes
        return first..<first + length
    }

    /// Drops what was taken; moves the rest to the front once the taken part is the larger one.
    private mutating func take(through end: Int) {
        start = end
        if start == buffer.count {
            buffer.removeAll(keepingCapacity: true)
            start = 0
        } else if start > buffer.count / 2 {
            buffer.removeSubrange(..<start)
            start = 0
        }
    }

    /// The length that a prefix announces; nil where the prefix is not whole.
    private static func length(in bytes: UnsafeRawBufferPointer, limit: Int) -> Result<Int?, DeframeError> {
        guard let flag = bytes.first else { return .success(nil) }
        guard flag <= 1 else { return .failure(.badFlag(flag)) }
        guard flag == 0 else { return .failure(.compressed) }
        guard bytes.count >= prefixBytes else { return .success(nil) }
        let length = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt32.self)))
        return length <= limit ? .success(length) : .failure(.tooLarge(bytes: length, limit: limit))
    }
}

/// Puts the prefix before a message.
package enum MessageFraming {
    /// Writes the prefix of an uncompressed message of this many bytes.
    @inlinable
    package static func writePrefix(length: Int, to bytes: UnsafeMutableRawBufferPointer) {
        bytes[0] = 0
        bytes.storeBytes(of: UInt32(length).bigEndian, toByteOffset: 1, as: UInt32.self)
    }

    /// A message with its prefix, encoded into one buffer.
    @usableFromInline
    package static func frame<M: Message>(_ message: M) -> [UInt8] {
        var writer = WireWriter(reservedPrefix: MessageDeframer.prefixBytes)
        message.encode(to: &writer)
        _ = finish(&writer)
        return writer.bytes()
    }

    /// Fills in the prefix of the message that was written behind it, and tells how long the message is.
    @usableFromInline
    package static func finish(_ writer: inout WireWriter) -> Int {
        let length = writer.count - MessageDeframer.prefixBytes
        writer.withUnsafeMutableBytes { writePrefix(length: length, to: $0) }
        return length
    }

    /// Encoded bytes with their prefix.
    package static func frame(_ message: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: message.count + MessageDeframer.prefixBytes) { buffer, count in
            writePrefix(length: message.count, to: UnsafeMutableRawBufferPointer(buffer))
            _ = UnsafeMutableBufferPointer(rebasing: buffer[MessageDeframer.prefixBytes...]).initialize(from: message)
            count = message.count + MessageDeframer.prefixBytes
        }
    }
}

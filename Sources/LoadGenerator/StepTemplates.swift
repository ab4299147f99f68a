import Glibc
import Protobuf

/// The requests of steps, laid out once: to make one is to copy it and to write its id.
///
/// For each of `TraceRows` there is a Reserve of its context and of the most that may be generated, and a Commit of what was
/// generated in the end. Whoever makes them gives their memory back.
struct StepTemplates {
    /// What stands around a step.
    enum Framing {
        /// A gRPC message of its own: a ReserveRequest or a CommitRequest.
        case call
        /// An element of a BatchRequest's `steps`.
        case batch
        /// A gRPC message of its own: a MeterRequest with a tag.
        case meter
    }

    /// One request, without its id.
    struct Template {
        let bytes: UnsafeRawBufferPointer
        /// Where the id stands, and on a Meter stream the tag, of two bytes.
        let idOffset: Int
        let tagOffset: Int
    }

    /// The feature and its units, as the catalog that is built into the server has them.
    private static let feature = "chat"
    private static let contextUnit = "context_tokens"
    private static let generatedUnit = "generated_tokens"
    /// A gRPC message's head: a flag and the length.
    static let headByteCount = 5

    /// By row.
    let reserves: [Template]
    let commits: [Template]

    init(_ framing: Framing) {
        reserves = TraceRows.all.map {
            Self.template(framing, stepField: 1, feature: Self.feature, $0.context, TraceRows.generatedMax)
        }
        commits = TraceRows.all.map {
            Self.template(framing, stepField: 2, feature: nil, $0.context, $0.generated)
        }
    }

    func deallocate() {
        for template in reserves + commits { template.bytes.deallocate() }
    }

    private static func template(
        _ framing: Framing, stepField: UInt64, feature: String?, _ context: Int64, _ generated: Int64
    ) -> Template {
        var message: [UInt8] = [1 << 3 | 2, UInt8(StepIDs.textByteCount)]
        message += [UInt8](repeating: 0, count: StepIDs.textByteCount)
        if let feature { message += field(2, Array(feature.utf8)) }
        // `quantities` is field 3 of a Reserve and field 2 of a Commit.
        for (unit, count) in [(contextUnit, context), (generatedUnit, generated)] {
            message += field(feature == nil ? 2 : 3, field(1, Array(unit.utf8)) + [2 << 3] + varint(UInt64(count)))
        }
        let idFromEnd = message.count - 2
        let step = field(stepField, message)
        var tagOffset = 0
        let bytes: [UInt8]
        switch framing {
        case .call: bytes = framed(message)
        case .batch: bytes = field(1, step)
        case .meter:
            bytes = framed([1 << 3, 0x80, 0x01] + field(2, step))
            tagOffset = headByteCount + 1
        }
        return Template(bytes: copied(bytes), idOffset: bytes.count - idFromEnd, tagOffset: tagOffset)
    }

    /// A message behind a gRPC head.
    static func framed(_ message: [UInt8]) -> [UInt8] {
        [0] + (0..<4).map { UInt8(truncatingIfNeeded: message.count >> (24 - $0 * 8)) } + message
    }

    /// Writes the head of a message that stands behind room for it.
    static func writeHead(of buffer: ByteBuffer) {
        buffer.base.storeBytes(of: 0, as: UInt8.self)
        let length = UInt32(buffer.count - headByteCount)
        buffer.base.storeBytes(of: length.bigEndian, toByteOffset: 1, as: UInt32.self)
    }

    private static func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
        varint(number << 3 | 2) + varint(UInt64(bytes.count)) + bytes
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var writer = WireWriter()
        writer.putVarint(value)
        return writer.bytes()
    }

    private static func copied(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        copy.copyBytes(from: bytes)
        return UnsafeRawBufferPointer(copy)
    }
}

extension StepTemplates.Template {
    /// Adds the request with its id, and a tag where it has one.
    @inline(__always)
    func append(to buffer: inout ByteBuffer, id: StepIDs.ID, tag: UInt16 = 0) {
        let out = buffer.extend(by: bytes.count)
        memcpy(out, bytes.baseAddress!, bytes.count)
        id.write(to: out + idOffset)
        guard tagOffset > 0 else { return }
        // Two bytes of a varint: tags begin at 128, so that they always take two.
        out.storeBytes(of: UInt8(truncatingIfNeeded: tag) | 0x80, toByteOffset: tagOffset, as: UInt8.self)
        out.storeBytes(of: UInt8(truncatingIfNeeded: tag >> 7), toByteOffset: tagOffset + 1, as: UInt8.self)
    }
}

/// The fields of a message that this build's schema does not know, as they came, so that they survive being passed on.
public struct UnknownFields: Hashable, Sendable {
    /// Tags and values as on the wire, in the order in which they came.
    public private(set) var bytes: [UInt8] = []

    /// No unknown fields.
    @inlinable
    public init() {}

    /// Whether there are none.
    @inlinable
    public var isEmpty: Bool { bytes.isEmpty }

    /// Adds a field that was skipped.
    mutating func append(tag: UInt32, value: UnsafeRawBufferPointer) {
        var rest = tag
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
        bytes.append(contentsOf: value)
    }
}

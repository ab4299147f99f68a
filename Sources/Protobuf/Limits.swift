/// Bounds of this module, in one place. Those that hot functions of other modules read are computed, to be inlined there.
@usableFromInline
enum Limits {
    /// How many messages may stand inside each other, as in Google's implementations.
    @inlinable static var nestingDepthMax: Int { 100 }
    /// How many nested messages one message may hold in all. An empty nested message takes two bytes on the wire and
    /// hundreds in memory, so the byte length of the input alone does not bound what decoding it costs.
    @inlinable static var nestedMessageCountMax: Int { 1 << 18 }
    /// The largest message that is read, in bytes: the limit of the format itself.
    @inlinable static var messageByteCountMax: Int { Int(Int32.max) }
    /// The longest encoding of a varint, in bytes.
    @inlinable static var varintByteCountMax: Int { 10 }
    /// The longest encoding of a field's tag, in bytes.
    static let tagByteCountMax = 5
    /// What a writer can hold before it grows for the first time, in bytes.
    static let writerInitialByteCount = 256
}

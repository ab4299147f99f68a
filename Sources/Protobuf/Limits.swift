/// Bounds of this module, in one place.
public enum Limits {
    /// How many messages may stand inside each other, as in Google's implementations.
    public static let nestingDepthMax = 100
    /// How many nested messages one message may hold in all. An empty nested message takes two bytes on the wire and
    /// hundreds in memory, so the byte length of the input alone does not bound what decoding it costs.
    public static let nestedMessageCountMax = 1 << 18
    /// The largest message that is read, in bytes: the limit of the format itself.
    public static let messageByteCountMax = Int(Int32.max)
    /// The longest encoding of a varint, in bytes.
    @usableFromInline static let varintByteCountMax = 10
    /// The longest encoding of a field's tag, in bytes.
    static let tagByteCountMax = 5
    /// What a writer can hold before it grows for the first time, in bytes.
    public static let writerInitialByteCount = 256
}

/// Why bytes are no message.
public enum WireError: Error, Hashable, Sendable {
    /// The bytes end inside a field, or a length points past the end of what holds it.
    case truncated
    /// A varint is longer than ten bytes or does not fit into 64 bits.
    case malformedVarint
    /// A tag has field number 0, an undefined wire type, more than 32 bits, or ends a group that was not begun.
    case invalidTag
    /// A string is not UTF-8.
    case invalidUTF8
    /// Messages or groups stand inside each other deeper than `Limits.nestingDepthMax`.
    case tooDeep
    /// The message or the number of messages in it is above a bound in `Limits`.
    case tooLarge
}

/// Why bytes are not an entry.
package enum CodecError: Error, Equatable, Sendable {
    /// The bytes end too early.
    case truncated
    /// Bytes are left over.
    case trailing
    /// Written by a build that is newer than this one, or not by Tollgate.
    case unknownVersion(UInt8)
    case unknownKind(UInt8)
    /// A field has a value that it never has.
    case invalid(field: Field)

    /// Which field it was.
    package enum Field: String, Sendable {
        case audit, change, count, duration, flags, family, grantKind, key, limit, plan, price, quality, refusal, state,
            text
        case unit, varint
    }
}

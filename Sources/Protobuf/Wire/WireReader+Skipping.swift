extension WireReader {
    /// Takes the field of a tag that the message does not know, whatever it holds, so that it can be written again.
    ///
    /// A known field number with another wire type comes here too. A group is kept from its beginning to its end.
    public mutating func skip(_ tag: UInt32, into unknownFields: inout UnknownFields) throws(WireError) {
        let start = position
        try skipValue(of: tag, groupsLeft: depthLeft)
        unknownFields.append(tag: tag, value: UnsafeRawBufferPointer(start: start, count: position - start))
    }

    /// Moves past the field of a tag that the reader does not know.
    public mutating func skip(_ tag: UInt32) throws(WireError) { try skipValue(of: tag, groupsLeft: depthLeft) }

    /// Moves past the value that follows a tag.
    private mutating func skipValue(of tag: UInt32, groupsLeft: Int) throws(WireError) {
        guard let wireType = WireType(rawValue: tag & 7) else { throw .invalidTag }
        switch wireType {
        case .varint: _ = try uint64()
        case .fixed64: _ = try fixed64()
        case .lengthDelimited: _ = try lengthDelimited()
        case .startGroup: try skipGroup(tag >> 3, groupsLeft: groupsLeft)
        case .endGroup: throw .invalidTag
        case .fixed32: _ = try fixed32()
        }
    }

    /// Moves past the fields of a group and its closing tag, which must name the same field.
    private mutating func skipGroup(_ number: UInt32, groupsLeft: Int) throws(WireError) {
        guard groupsLeft > 0 else { throw .tooDeep }
        while let tag = try nextTag() {
            if tag & 7 == WireType.endGroup.rawValue {
                guard tag >> 3 == number else { throw .invalidTag }
                return
            }
            try skipValue(of: tag, groupsLeft: groupsLeft - 1)
        }
        throw .truncated
    }
}

/// How a value lies on the wire: the low three bits of a tag.
public enum WireType: UInt32, Sendable {
    case varint = 0
    case fixed64 = 1
    case lengthDelimited = 2
    case startGroup = 3
    case endGroup = 4
    case fixed32 = 5
}

/// A message without fields: `google.protobuf.Empty`.
public struct Empty: Message {
    public var unknownFields = UnknownFields()
    public static var messageName: String { "google.protobuf.Empty" }

    /// The one value.
    public init() {}

    public mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() { try reader.skip(tag, into: &unknownFields) }
    }

    public func encode(to writer: inout WireWriter) { writer.writeUnknown(unknownFields) }

    public func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        json.endObject()
    }
}

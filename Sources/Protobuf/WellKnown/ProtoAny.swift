/// A message of any type, packed with its name: `google.protobuf.Any`. Called so because `Any` is a word of Swift's.
public struct ProtoAny: Message {
    /// The type: a URL whose last part is the message's full name, such as `type.googleapis.com/google.rpc.ErrorInfo`.
    public var typeURL: String = ""
    /// The message's wire bytes.
    public var value: [UInt8] = []
    public var unknownFields = UnknownFields()
    public static var messageName: String { "google.protobuf.Any" }

    /// No message.
    public init() {}

    /// Packs a message.
    public init<M: Message>(packing message: M) {
        typeURL = "type.googleapis.com/" + M.messageName
        value = message.wireBytes()
    }

    /// The full name of the message inside: what follows the last slash of the URL.
    public var packedMessageName: Substring {
        typeURL.lastIndex(of: "/").map { typeURL[typeURL.index(after: $0)...] } ?? typeURL[...]
    }

    /// The message inside, or nil where it is of another type.
    public func unpack<M: Message>(_ type: M.Type = M.self) throws(WireError) -> M? {
        guard packedMessageName == M.messageName else { return nil }
        return try M(wireBytes: value)
    }

    public mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: typeURL = try reader.string()
            case 18: value = try reader.bytes()
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    public func encode(to writer: inout WireWriter) {
        if !typeURL.isEmpty { writer.write(StringCodec.self, typeURL, tag: 10) }
        if !value.isEmpty { writer.write(BytesCodec.self, value, tag: 18) }
        writer.writeUnknown(unknownFields)
    }

    /// There is no register of all messages here, so the message inside is shown as its bytes in base64.
    public func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if !typeURL.isEmpty { json.write(StringCodec.self, typeURL, key: "@type") }
        if !value.isEmpty { json.write(BytesCodec.self, value, key: "value") }
        json.endObject()
    }
}

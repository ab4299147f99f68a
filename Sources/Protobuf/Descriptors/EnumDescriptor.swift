// What this project reads of google/protobuf/descriptor.proto. All else stays in `unknownFields` and is written again.

/// An enum: `google.protobuf.EnumDescriptorProto`.
package struct EnumDescriptorProto: Message {
    /// The name without package or outer message.
    package var name: String = ""
    /// Its members.
    package var values: [EnumValueDescriptorProto] = []
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.EnumDescriptorProto" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: name = try reader.string()
            case 18: try reader.message(appendingTo: &values)
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        if !name.isEmpty { writer.write(StringCodec.self, name, tag: 10) }
        writer.write(messages: values, tag: 18)
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if !name.isEmpty { json.write(StringCodec.self, name, key: "name") }
        json.write(messages: values, key: "values")
        json.endObject()
    }
}

/// An enum's member: `google.protobuf.EnumValueDescriptorProto`.
package struct EnumValueDescriptorProto: Message {
    /// The name as in the schema.
    package var name: String = ""
    /// The number on the wire.
    package var number: Int32 = 0
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.EnumValueDescriptorProto" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: name = try reader.string()
            case 16: number = try reader.int32()
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        if !name.isEmpty { writer.write(StringCodec.self, name, tag: 10) }
        if number != 0 { writer.write(Int32Codec.self, number, tag: 16) }
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if !name.isEmpty { json.write(StringCodec.self, name, key: "name") }
        if number != 0 { json.write(Int32Codec.self, number, key: "number") }
        json.endObject()
    }
}

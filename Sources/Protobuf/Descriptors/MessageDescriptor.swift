// What this project reads of google/protobuf/descriptor.proto. All else stays in `unknownFields` and is written again.

/// A message: `google.protobuf.DescriptorProto`.
package struct DescriptorProto: Message {
    /// The name without package or outer message.
    package var name: String = ""
    /// Its fields.
    package var fields: [FieldDescriptorProto] = []
    /// The messages inside it, those of map entries too.
    package var nestedMessages: [DescriptorProto] = []
    /// The enums inside it.
    package var enums: [EnumDescriptorProto] = []
    /// The extensions inside it.
    package var extensions: [FieldDescriptorProto] = []
    /// What the schema says about it.
    package var options: MessageOptions?
    /// Its oneofs, those made up for `optional` fields last.
    package var oneofs: [OneofDescriptorProto] = []
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.DescriptorProto" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: name = try reader.string()
            case 18: try reader.message(appendingTo: &fields)
            case 26: try reader.message(appendingTo: &nestedMessages)
            case 34: try reader.message(appendingTo: &enums)
            case 50: try reader.message(appendingTo: &extensions)
            case 58: try reader.message(into: &options)
            case 66: try reader.message(appendingTo: &oneofs)
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        if !name.isEmpty { writer.write(StringCodec.self, name, tag: 10) }
        writer.write(messages: fields, tag: 18)
        writer.write(messages: nestedMessages, tag: 26)
        writer.write(messages: enums, tag: 34)
        writer.write(messages: extensions, tag: 50)
        if let options { writer.write(message: options, tag: 58) }
        writer.write(messages: oneofs, tag: 66)
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if !name.isEmpty { json.write(StringCodec.self, name, key: "name") }
        json.write(messages: fields, key: "fields")
        json.write(messages: nestedMessages, key: "nestedMessages")
        json.write(messages: enums, key: "enums")
        json.write(messages: extensions, key: "extensions")
        if let options { json.write(message: options, key: "options") }
        json.write(messages: oneofs, key: "oneofs")
        json.endObject()
    }
}

/// What a schema says about a message: `google.protobuf.MessageOptions`.
package struct MessageOptions: Message {
    /// Whether this is the entry of a map field.
    package var isMapEntry: Bool = false
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.MessageOptions" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 56: isMapEntry = try reader.bool()
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        if isMapEntry { writer.write(BoolCodec.self, isMapEntry, tag: 56) }
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if isMapEntry { json.write(BoolCodec.self, isMapEntry, key: "isMapEntry") }
        json.endObject()
    }
}

/// A field: `google.protobuf.FieldDescriptorProto`.
package struct FieldDescriptorProto: Message {
    /// The name as in the schema.
    package var name: String = ""
    /// The message that an extension extends.
    package var extendee: String = ""
    /// The number on the wire.
    package var number: Int32 = 0
    /// 1 optional, 2 required, 3 repeated.
    package var label: Int32 = 0
    /// The type's number, as `FieldDescriptorProto.Type` counts.
    package var type: Int32 = 0
    /// The full name of a message's or enum's type, with a dot before it.
    package var typeName: String = ""
    /// What the schema says about it.
    package var options: FieldOptions?
    /// Which of the message's oneofs it belongs to.
    package var oneofIndex: Int32?
    /// The name in JSON.
    package var jsonName: String = ""
    /// Whether it was declared `optional`; its oneof is then made up.
    package var isProto3Optional: Bool = false
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.FieldDescriptorProto" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: name = try reader.string()
            case 18: extendee = try reader.string()
            case 24: number = try reader.int32()
            case 32: label = try reader.int32()
            case 40: type = try reader.int32()
            case 50: typeName = try reader.string()
            case 66: try reader.message(into: &options)
            case 72: oneofIndex = try reader.int32()
            case 82: jsonName = try reader.string()
            case 136: isProto3Optional = try reader.bool()
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        if !name.isEmpty { writer.write(StringCodec.self, name, tag: 10) }
        if !extendee.isEmpty { writer.write(StringCodec.self, extendee, tag: 18) }
        if number != 0 { writer.write(Int32Codec.self, number, tag: 24) }
        if label != 0 { writer.write(Int32Codec.self, label, tag: 32) }
        if type != 0 { writer.write(Int32Codec.self, type, tag: 40) }
        if !typeName.isEmpty { writer.write(StringCodec.self, typeName, tag: 50) }
        if let options { writer.write(message: options, tag: 66) }
        if let oneofIndex { writer.write(Int32Codec.self, oneofIndex, tag: 72) }
        if !jsonName.isEmpty { writer.write(StringCodec.self, jsonName, tag: 82) }
        if isProto3Optional { writer.write(BoolCodec.self, isProto3Optional, tag: 136) }
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if !name.isEmpty { json.write(StringCodec.self, name, key: "name") }
        if !extendee.isEmpty { json.write(StringCodec.self, extendee, key: "extendee") }
        if number != 0 { json.write(Int32Codec.self, number, key: "number") }
        if label != 0 { json.write(Int32Codec.self, label, key: "label") }
        if type != 0 { json.write(Int32Codec.self, type, key: "type") }
        if !typeName.isEmpty { json.write(StringCodec.self, typeName, key: "typeName") }
        if let options { json.write(message: options, key: "options") }
        if let oneofIndex { json.write(Int32Codec.self, oneofIndex, key: "oneofIndex") }
        if !jsonName.isEmpty { json.write(StringCodec.self, jsonName, key: "jsonName") }
        if isProto3Optional { json.write(BoolCodec.self, isProto3Optional, key: "isProto3Optional") }
        json.endObject()
    }
}

/// What a schema says about a field: `google.protobuf.FieldOptions`.
package struct FieldOptions: Message {
    /// Whether a repeated field is packed, where it says so.
    package var isPacked: Bool?
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.FieldOptions" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 16: isPacked = try reader.bool()
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        if let isPacked { writer.write(BoolCodec.self, isPacked, tag: 16) }
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if let isPacked { json.write(BoolCodec.self, isPacked, key: "isPacked") }
        json.endObject()
    }
}

/// A oneof: `google.protobuf.OneofDescriptorProto`.
package struct OneofDescriptorProto: Message {
    /// The name as in the schema.
    package var name: String = ""
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.OneofDescriptorProto" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: name = try reader.string()
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        if !name.isEmpty { writer.write(StringCodec.self, name, tag: 10) }
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if !name.isEmpty { json.write(StringCodec.self, name, key: "name") }
        json.endObject()
    }
}

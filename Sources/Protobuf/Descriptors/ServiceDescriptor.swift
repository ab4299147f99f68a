// What this project reads of google/protobuf/descriptor.proto. All else stays in `unknownFields` and is written again.

/// A service: `google.protobuf.ServiceDescriptorProto`.
package struct ServiceDescriptorProto: Message {
    /// The name without the package.
    package var name: String = ""
    /// Its methods.
    package var methods: [MethodDescriptorProto] = []
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.ServiceDescriptorProto" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: name = try reader.string()
            case 18: try reader.message(appendingTo: &methods)
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        if !name.isEmpty { writer.write(StringCodec.self, name, tag: 10) }
        writer.write(messages: methods, tag: 18)
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if !name.isEmpty { json.write(StringCodec.self, name, key: "name") }
        json.write(messages: methods, key: "methods")
        json.endObject()
    }
}

/// A method: `google.protobuf.MethodDescriptorProto`.
package struct MethodDescriptorProto: Message {
    /// The name as in the schema.
    package var name: String = ""
    /// The full name of the request, with a dot before it.
    package var inputType: String = ""
    /// The full name of the response, with a dot before it.
    package var outputType: String = ""
    /// What the schema says about it.
    package var options: MethodOptions?
    /// Whether the client sends many messages.
    package var streamsRequests: Bool = false
    /// Whether the server sends many messages.
    package var streamsResponses: Bool = false
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.MethodDescriptorProto" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: name = try reader.string()
            case 18: inputType = try reader.string()
            case 26: outputType = try reader.string()
            case 34: try reader.message(into: &options)
            case 40: streamsRequests = try reader.bool()
            case 48: streamsResponses = try reader.bool()
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        if !name.isEmpty { writer.write(StringCodec.self, name, tag: 10) }
        if !inputType.isEmpty { writer.write(StringCodec.self, inputType, tag: 18) }
        if !outputType.isEmpty { writer.write(StringCodec.self, outputType, tag: 26) }
        if let options { writer.write(message: options, tag: 34) }
        if streamsRequests { writer.write(BoolCodec.self, streamsRequests, tag: 40) }
        if streamsResponses { writer.write(BoolCodec.self, streamsResponses, tag: 48) }
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if !name.isEmpty { json.write(StringCodec.self, name, key: "name") }
        if !inputType.isEmpty { json.write(StringCodec.self, inputType, key: "inputType") }
        if !outputType.isEmpty { json.write(StringCodec.self, outputType, key: "outputType") }
        if let options { json.write(message: options, key: "options") }
        if streamsRequests { json.write(BoolCodec.self, streamsRequests, key: "streamsRequests") }
        if streamsResponses { json.write(BoolCodec.self, streamsResponses, key: "streamsResponses") }
        json.endObject()
    }
}

/// What a schema says about a method: `google.protobuf.MethodOptions`, with the extensions of `tollgate/v1/options.proto`.
package struct MethodOptions: Message {
    /// The permission that a caller needs: `(tollgate.v1.permission)`.
    package var permission: String?
    /// Whether the handler runs on the event loop: `(tollgate.v1.direct)`.
    package var isDirect: Bool = false
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.MethodOptions" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 400010: permission = try reader.string()
            case 400016: isDirect = try reader.bool()
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        if let permission { writer.write(StringCodec.self, permission, tag: 400010) }
        if isDirect { writer.write(BoolCodec.self, isDirect, tag: 400016) }
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if let permission { json.write(StringCodec.self, permission, key: "permission") }
        if isDirect { json.write(BoolCodec.self, isDirect, key: "isDirect") }
        json.endObject()
    }
}

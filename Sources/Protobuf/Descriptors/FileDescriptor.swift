// What this project reads of google/protobuf/descriptor.proto. All else stays in `unknownFields` and is written again.

/// Several schema files: `google.protobuf.FileDescriptorSet`.
package struct FileDescriptorSet: Message {
    /// The files.
    package var files: [FileDescriptorProto] = []
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.FileDescriptorSet" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: try reader.message(appendingTo: &files)
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        writer.write(messages: files, tag: 10)
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        json.write(messages: files, key: "files")
        json.endObject()
    }
}

/// One schema file: `google.protobuf.FileDescriptorProto`.
package struct FileDescriptorProto: Message {
    /// The path from the schemas' root, such as `tollgate/v1/metering.proto`.
    package var name: String = ""
    /// The package, such as `tollgate.v1`.
    package var package: String = ""
    /// The paths of the files that it imports.
    package var dependencies: [String] = []
    /// Its messages at the top level.
    package var messages: [DescriptorProto] = []
    /// Its enums at the top level.
    package var enums: [EnumDescriptorProto] = []
    /// Its services.
    package var services: [ServiceDescriptorProto] = []
    /// Its extensions at the top level.
    package var extensions: [FieldDescriptorProto] = []
    /// Positions and comments.
    package var sourceCodeInfo: SourceCodeInfo?
    /// `proto3`; empty or `proto2` for the older language.
    package var syntax: String = ""
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.FileDescriptorProto" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: name = try reader.string()
            case 18: package = try reader.string()
            case 26: dependencies.append(try reader.string())
            case 34: try reader.message(appendingTo: &messages)
            case 42: try reader.message(appendingTo: &enums)
            case 50: try reader.message(appendingTo: &services)
            case 58: try reader.message(appendingTo: &extensions)
            case 74: try reader.message(into: &sourceCodeInfo)
            case 98: syntax = try reader.string()
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        if !name.isEmpty { writer.write(StringCodec.self, name, tag: 10) }
        if !package.isEmpty { writer.write(StringCodec.self, package, tag: 18) }
        writer.write(repeated: StringCodec.self, dependencies, tag: 26)
        writer.write(messages: messages, tag: 34)
        writer.write(messages: enums, tag: 42)
        writer.write(messages: services, tag: 50)
        writer.write(messages: extensions, tag: 58)
        if let sourceCodeInfo { writer.write(message: sourceCodeInfo, tag: 74) }
        if !syntax.isEmpty { writer.write(StringCodec.self, syntax, tag: 98) }
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if !name.isEmpty { json.write(StringCodec.self, name, key: "name") }
        if !package.isEmpty { json.write(StringCodec.self, package, key: "package") }
        json.write(repeated: StringCodec.self, dependencies, key: "dependencies")
        json.write(messages: messages, key: "messages")
        json.write(messages: enums, key: "enums")
        json.write(messages: services, key: "services")
        json.write(messages: extensions, key: "extensions")
        if let sourceCodeInfo { json.write(message: sourceCodeInfo, key: "sourceCodeInfo") }
        if !syntax.isEmpty { json.write(StringCodec.self, syntax, key: "syntax") }
        json.endObject()
    }
}

/// Positions and comments of a file: `google.protobuf.SourceCodeInfo`.
package struct SourceCodeInfo: Message {
    /// One for each part of the file.
    package var locations: [SourceLocation] = []
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.SourceCodeInfo" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: try reader.message(appendingTo: &locations)
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        writer.write(messages: locations, tag: 10)
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        json.write(messages: locations, key: "locations")
        json.endObject()
    }
}

/// The comments of one part of a file: `google.protobuf.SourceCodeInfo.Location`.
package struct SourceLocation: Message {
    /// Where the part stands: field numbers and indexes, from the file inwards.
    package var path: [Int32] = []
    /// The comment before it.
    package var leadingComments: String = ""
    /// The comment behind it.
    package var trailingComments: String = ""
    package var unknownFields = UnknownFields()
    package static var messageName: String { "google.protobuf.SourceCodeInfo.Location" }

    /// An empty one.
    package init() {}

    package mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 8: path.append(try reader.int32())
            case 10: try reader.packed(Int32Codec.self, into: &path)
            case 26: leadingComments = try reader.string()
            case 34: trailingComments = try reader.string()
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    package func encode(to writer: inout WireWriter) {
        writer.write(packed: Int32Codec.self, path, tag: 10)
        if !leadingComments.isEmpty { writer.write(StringCodec.self, leadingComments, tag: 26) }
        if !trailingComments.isEmpty { writer.write(StringCodec.self, trailingComments, tag: 34) }
        writer.writeUnknown(unknownFields)
    }

    package func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        json.write(repeated: Int32Codec.self, path, key: "path")
        if !leadingComments.isEmpty { json.write(StringCodec.self, leadingComments, key: "leadingComments") }
        if !trailingComments.isEmpty { json.write(StringCodec.self, trailingComments, key: "trailingComments") }
        json.endObject()
    }
}

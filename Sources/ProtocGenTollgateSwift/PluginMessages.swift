import Protobuf

// What this program reads and writes of google/protobuf/compiler/plugin.proto.

/// What protoc asks for.
struct CodeGeneratorRequest: Message {
    /// The files to generate code for; the others are what they import.
    var filesToGenerate: [String] = []
    /// What stood behind `--tollgate-swift_opt`.
    var parameter: String = ""
    /// All files, each behind those that it imports.
    var files: [FileDescriptorProto] = []
    var unknownFields = UnknownFields()
    static var messageName: String { "google.protobuf.compiler.CodeGeneratorRequest" }

    mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: filesToGenerate.append(try reader.string())
            case 18: parameter = try reader.string()
            case 122: try reader.message(appendingTo: &files)
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    func encode(to writer: inout WireWriter) {
        writer.write(repeated: StringCodec.self, filesToGenerate, tag: 10)
        if !parameter.isEmpty { writer.write(StringCodec.self, parameter, tag: 18) }
        writer.write(messages: files, tag: 122)
        writer.writeUnknown(unknownFields)
    }

    func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        json.write(repeated: StringCodec.self, filesToGenerate, key: "fileToGenerate")
        if !parameter.isEmpty { json.write(StringCodec.self, parameter, key: "parameter") }
        json.write(messages: files, key: "protoFile")
        json.endObject()
    }
}

/// What protoc gets.
struct CodeGeneratorResponse: Message {
    /// What is wrong with the schema; protoc then shows it and fails.
    var error: String?
    /// Which features of the language are understood, as a set of bits.
    var supportedFeatures: UInt64 = 0
    /// The generated files.
    var files: [GeneratedFile] = []
    var unknownFields = UnknownFields()
    static var messageName: String { "google.protobuf.compiler.CodeGeneratorResponse" }

    /// `optional` in proto3 is understood.
    static let featureProto3Optional: UInt64 = 1

    mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: error = try reader.string()
            case 16: supportedFeatures = try reader.uint64()
            case 122: try reader.message(appendingTo: &files)
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    func encode(to writer: inout WireWriter) {
        if let error { writer.write(StringCodec.self, error, tag: 10) }
        if supportedFeatures != 0 { writer.write(UInt64Codec.self, supportedFeatures, tag: 16) }
        writer.write(messages: files, tag: 122)
        writer.writeUnknown(unknownFields)
    }

    func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if let error { json.write(StringCodec.self, error, key: "error") }
        if supportedFeatures != 0 { json.write(UInt64Codec.self, supportedFeatures, key: "supportedFeatures") }
        json.write(messages: files, key: "file")
        json.endObject()
    }
}

/// One generated file: `CodeGeneratorResponse.File`.
struct GeneratedFile: Message {
    /// The path below the output folder.
    var name: String = ""
    /// The text.
    var content: String = ""
    var unknownFields = UnknownFields()
    static var messageName: String { "google.protobuf.compiler.CodeGeneratorResponse.File" }

    mutating func decode(from reader: inout WireReader) throws(WireError) {
        while let tag = try reader.nextTag() {
            switch tag {
            case 10: name = try reader.string()
            case 122: content = try reader.string()
            default: try reader.skip(tag, into: &unknownFields)
            }
        }
    }

    func encode(to writer: inout WireWriter) {
        if !name.isEmpty { writer.write(StringCodec.self, name, tag: 10) }
        if !content.isEmpty { writer.write(StringCodec.self, content, tag: 122) }
        writer.writeUnknown(unknownFields)
    }

    func encodeJSON(to json: inout JSONWriter) {
        json.beginObject()
        if !name.isEmpty { json.write(StringCodec.self, name, key: "name") }
        if !content.isEmpty { json.write(StringCodec.self, content, key: "content") }
        json.endObject()
    }
}

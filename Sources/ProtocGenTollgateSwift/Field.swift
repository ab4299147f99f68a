import Protobuf

/// A field of a message, with all that its generated code needs to know.
struct Field {
    /// What a value of the field is.
    enum Kind {
        /// A number, bool, string, bytes or enum, read and written through a codec.
        case scalar
        /// A message.
        case message
        /// A map with the codecs of its keys and values.
        case map(key: String, value: String)
    }

    /// How many values there are.
    enum Presence {
        /// One, which is not sent when it is the default.
        case implicit
        /// One or none, told apart.
        case optional
        /// One of several fields.
        case oneof(Int)
        /// Any number, packed or not.
        case repeated(packed: Bool)
    }

    let kind: Kind
    let presence: Presence
    /// The property's name.
    let name: String
    /// The name in JSON.
    let jsonName: String
    /// The number on the wire.
    let number: Int32
    /// The type of one value; for a map, of the whole.
    let type: String
    /// The value of a field that is not set, as Swift source.
    let defaultValue: String
    /// The codec as Swift source; empty for messages and maps.
    let codec: String
    /// The reader's method for one value.
    let readCall: String
    /// The wire type of one value that is not packed.
    let wireType: WireType
    /// Whether the message holds itself through this field.
    let isRecursive: Bool

    /// The tag of a value, as a number.
    var tag: UInt32 { UInt32(bitPattern: number) << 3 | wireType.rawValue }
    /// The tag of a packed field.
    var packedTag: UInt32 { UInt32(bitPattern: number) << 3 | WireType.lengthDelimited.rawValue }

    /// A field of the message with the full name `owner`.
    init(_ field: FieldDescriptorProto, of owner: String, _ types: TypeIndex) throws(SchemaFault) {
        let place = owner.dropFirst() + "." + field.name
        let isRepeated = field.label == 3
        let scalar = try ScalarType(field, place: place, types)
        name = Naming.property(field.name)
        jsonName = field.jsonName
        number = field.number
        isRecursive = field.type == 11 && !isRepeated && types.isRecursive(field.typeName, in: owner)
        if field.type == 11, let entry = types.messages[field.typeName], entry.options?.isMapEntry == true {
            let key = try ScalarType(entry.fields[0], place: place, types)
            let value = try ScalarType(entry.fields[1], place: place, types)
            kind = .map(key: key.codec, value: value.codec)
            type = "[\(key.type): \(value.type)]"
        } else {
            kind = field.type == 11 ? .message : .scalar
            type = scalar.type
        }
        defaultValue = scalar.defaultValue
        codec = scalar.codec
        readCall = scalar.readCall
        wireType = scalar.wireType
        if isRepeated {
            presence = .repeated(packed: scalar.isPackable && field.options?.isPacked != false)
        } else if field.isProto3Optional {
            presence = .optional
        } else if let oneof = field.oneofIndex {
            presence = .oneof(Int(oneof))
        } else {
            presence = field.type == 11 ? .optional : .implicit
        }
    }
}

/// What is known of a value's type from the schema.
struct ScalarType {
    /// The type in Swift.
    var type: String
    /// The codec in Swift.
    var codec: String
    /// The reader's method, without parentheses.
    var readCall: String
    /// The default in Swift.
    var defaultValue = "0"
    /// How it lies on the wire.
    var wireType: WireType = .varint
    /// Whether many can stand behind one tag.
    var isPackable = true

    /// The type of a field, by its number in `FieldDescriptorProto.Type`.
    init(_ field: FieldDescriptorProto, place: String, _ types: TypeIndex) throws(SchemaFault) {
        switch field.type {
        case 1: self.init("Double", "Double", .fixed64)
        case 2: self.init("Float", "Float", .fixed32)
        case 3: self.init("Int64", "Int64", .varint)
        case 4: self.init("UInt64", "UInt64", .varint)
        case 5: self.init("Int32", "Int32", .varint)
        case 6: self.init("UInt64", "Fixed64", .fixed64)
        case 7: self.init("UInt32", "Fixed32", .fixed32)
        case 8: self.init("Bool", "Bool", .varint, defaultValue: "false")
        case 9: self.init("String", "String", .lengthDelimited, defaultValue: "\"\"")
        case 11:
            let name = try types.isMap(field.typeName) ? "" : types.swiftName(field.typeName, field: place)
            self.init(message: name)
        case 12: self.init("[UInt8]", "Bytes", .lengthDelimited, defaultValue: "[]")
        case 13: self.init("UInt32", "UInt32", .varint)
        case 14: self.init(enumeration: try types.swiftName(field.typeName, field: place))
        case 15: self.init("Int32", "SFixed32", .fixed32)
        case 16: self.init("Int64", "SFixed64", .fixed64)
        case 17: self.init("Int32", "SInt32", .varint)
        case 18: self.init("Int64", "SInt64", .varint)
        default: throw .group(field: place)
        }
    }

    private init(_ type: String, _ codec: String, _ wireType: WireType, defaultValue: String = "0") {
        self.type = type
        self.codec = codec + "Codec"
        self.readCall = Naming.readCall(codec)
        self.wireType = wireType
        self.defaultValue = defaultValue
        isPackable = wireType != .lengthDelimited
    }

    private init(message name: String) {
        type = name
        codec = "MessageCodec<\(name)>"
        readCall = "message"
        wireType = .lengthDelimited
        isPackable = false
    }

    private init(enumeration name: String) {
        type = name
        codec = "EnumCodec<\(name)>"
        readCall = "enumeration"
        defaultValue = "\(name)(rawValue: 0)"
    }
}

extension TypeIndex {
    /// Whether this is the made-up message of a map's entries.
    func isMap(_ full: String) -> Bool { messages[full]?.options?.isMapEntry == true }
}

extension Naming {
    /// The reader's method of a codec: `SFixed32` is read by `sfixed32()`.
    static func readCall(_ codec: String) -> String { codec.lowercased() }
}

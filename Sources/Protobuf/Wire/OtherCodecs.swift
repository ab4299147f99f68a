// Codecs of the types that are no numbers; see `FieldCodec`.

/// Values of type `bool`.
public enum BoolCodec: FieldCodec {
    @inlinable public static var wireType: WireType { .varint }
    @inlinable public static var defaultValue: Bool { false }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> Bool { try reader.bool() }
    @inlinable
    public static func write(_ value: Bool, to writer: inout WireWriter) { writer.putVarint(value ? 1 : 0) }
    public static func writeJSON(_ value: Bool, to json: inout JSONWriter) { json.bool(value) }
    @inlinable
    public static func precedes(_ left: Bool, _ right: Bool) -> Bool { !left && right }
}

/// Values of type `string`.
public enum StringCodec: FieldCodec {
    @inlinable public static var wireType: WireType { .lengthDelimited }
    @inlinable public static var defaultValue: String { "" }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> String { try reader.string() }
    @inlinable
    public static func write(_ value: String, to writer: inout WireWriter) { writer.putString(value) }
    public static func writeJSON(_ value: String, to json: inout JSONWriter) { json.string(value) }
}

/// Values of type `bytes`.
public enum BytesCodec: FieldCodec {
    @inlinable public static var wireType: WireType { .lengthDelimited }
    @inlinable public static var defaultValue: [UInt8] { [] }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> [UInt8] { try reader.bytes() }
    @inlinable
    public static func write(_ value: [UInt8], to writer: inout WireWriter) { writer.putBytes(value) }
    public static func writeJSON(_ value: [UInt8], to json: inout JSONWriter) { json.base64(value) }
}

/// Values of an enum.
public enum EnumCodec<Value: MessageEnum>: FieldCodec {
    @inlinable public static var wireType: WireType { .varint }
    @inlinable public static var defaultValue: Value { Value(rawValue: 0) }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> Value { try reader.enumeration() }
    @inlinable
    public static func write(_ value: Value, to writer: inout WireWriter) {
        writer.putVarint(UInt64(bitPattern: Int64(value.rawValue)))
    }
    public static func writeJSON(_ value: Value, to json: inout JSONWriter) {
        if let name = value.protoName { json.string(name) } else { json.number(value.rawValue) }
    }
}

/// Nested messages, as the values of a map.
public enum MessageCodec<Value: Message>: FieldCodec {
    @inlinable public static var wireType: WireType { .lengthDelimited }
    @inlinable public static var defaultValue: Value { Value() }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> Value {
        var value = Value()
        try reader.message(into: &value)
        return value
    }
    @inlinable
    public static func merge(into value: inout Value, from reader: inout WireReader) throws(WireError) {
        try reader.message(into: &value)
    }
    @inlinable
    public static func write(_ value: Value, to writer: inout WireWriter) {
        let start = writer.beginLength()
        value.encode(to: &writer)
        writer.endLength(start)
    }
    public static func writeJSON(_ value: Value, to json: inout JSONWriter) { value.encodeJSON(to: &json) }
}

// One codec for each scalar type of the schema language; see `FieldCodec`.

/// Values of type `int32`.
public enum Int32Codec: FieldCodec {
    @inlinable public static var wireType: WireType { .varint }
    @inlinable public static var defaultValue: Int32 { 0 }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> Int32 { try reader.int32() }
    @inlinable
    public static func write(_ value: Int32, to writer: inout WireWriter) {
        writer.putVarint(UInt64(bitPattern: Int64(value)))
    }
    public static func writeJSON(_ value: Int32, to json: inout JSONWriter) { json.number(value) }
}

/// Values of type `int64`.
public enum Int64Codec: FieldCodec {
    @inlinable public static var wireType: WireType { .varint }
    @inlinable public static var defaultValue: Int64 { 0 }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> Int64 { try reader.int64() }
    @inlinable
    public static func write(_ value: Int64, to writer: inout WireWriter) {
        writer.putVarint(UInt64(bitPattern: value))
    }
    public static func writeJSON(_ value: Int64, to json: inout JSONWriter) { json.quotedNumber(value) }
}

/// Values of type `uint32`.
public enum UInt32Codec: FieldCodec {
    @inlinable public static var wireType: WireType { .varint }
    @inlinable public static var defaultValue: UInt32 { 0 }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> UInt32 { try reader.uint32() }
    @inlinable
    public static func write(_ value: UInt32, to writer: inout WireWriter) { writer.putVarint(UInt64(value)) }
    public static func writeJSON(_ value: UInt32, to json: inout JSONWriter) { json.number(value) }
}

/// Values of type `uint64`.
public enum UInt64Codec: FieldCodec {
    @inlinable public static var wireType: WireType { .varint }
    @inlinable public static var defaultValue: UInt64 { 0 }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> UInt64 { try reader.uint64() }
    @inlinable
    public static func write(_ value: UInt64, to writer: inout WireWriter) { writer.putVarint(value) }
    public static func writeJSON(_ value: UInt64, to json: inout JSONWriter) { json.quotedNumber(value) }
}

/// Values of type `sint32`.
public enum SInt32Codec: FieldCodec {
    @inlinable public static var wireType: WireType { .varint }
    @inlinable public static var defaultValue: Int32 { 0 }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> Int32 { try reader.sint32() }
    @inlinable
    public static func write(_ value: Int32, to writer: inout WireWriter) {
        writer.putVarint(UInt64(UInt32(bitPattern: value << 1 ^ value >> 31)))
    }
    public static func writeJSON(_ value: Int32, to json: inout JSONWriter) { json.number(value) }
}

/// Values of type `sint64`.
public enum SInt64Codec: FieldCodec {
    @inlinable public static var wireType: WireType { .varint }
    @inlinable public static var defaultValue: Int64 { 0 }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> Int64 { try reader.sint64() }
    @inlinable
    public static func write(_ value: Int64, to writer: inout WireWriter) {
        writer.putVarint(UInt64(bitPattern: value << 1 ^ value >> 63))
    }
    public static func writeJSON(_ value: Int64, to json: inout JSONWriter) { json.quotedNumber(value) }
}

/// Values of type `fixed32`.
public enum Fixed32Codec: FieldCodec {
    @inlinable public static var wireType: WireType { .fixed32 }
    @inlinable public static var defaultValue: UInt32 { 0 }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> UInt32 { try reader.fixed32() }
    @inlinable
    public static func write(_ value: UInt32, to writer: inout WireWriter) { writer.putFixed32(value) }
    public static func writeJSON(_ value: UInt32, to json: inout JSONWriter) { json.number(value) }
}

/// Values of type `fixed64`.
public enum Fixed64Codec: FieldCodec {
    @inlinable public static var wireType: WireType { .fixed64 }
    @inlinable public static var defaultValue: UInt64 { 0 }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> UInt64 { try reader.fixed64() }
    @inlinable
    public static func write(_ value: UInt64, to writer: inout WireWriter) { writer.putFixed64(value) }
    public static func writeJSON(_ value: UInt64, to json: inout JSONWriter) { json.quotedNumber(value) }
}

/// Values of type `sfixed32`.
public enum SFixed32Codec: FieldCodec {
    @inlinable public static var wireType: WireType { .fixed32 }
    @inlinable public static var defaultValue: Int32 { 0 }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> Int32 { try reader.sfixed32() }
    @inlinable
    public static func write(_ value: Int32, to writer: inout WireWriter) {
        writer.putFixed32(UInt32(bitPattern: value))
    }
    public static func writeJSON(_ value: Int32, to json: inout JSONWriter) { json.number(value) }
}

/// Values of type `sfixed64`.
public enum SFixed64Codec: FieldCodec {
    @inlinable public static var wireType: WireType { .fixed64 }
    @inlinable public static var defaultValue: Int64 { 0 }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> Int64 { try reader.sfixed64() }
    @inlinable
    public static func write(_ value: Int64, to writer: inout WireWriter) {
        writer.putFixed64(UInt64(bitPattern: value))
    }
    public static func writeJSON(_ value: Int64, to json: inout JSONWriter) { json.quotedNumber(value) }
}

/// Values of type `float`.
public enum FloatCodec: FieldCodec {
    @inlinable public static var wireType: WireType { .fixed32 }
    @inlinable public static var defaultValue: Float { 0 }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> Float { try reader.float() }
    @inlinable
    public static func write(_ value: Float, to writer: inout WireWriter) { writer.putFixed32(value.bitPattern) }
    public static func writeJSON(_ value: Float, to json: inout JSONWriter) { json.float(value) }
}

/// Values of type `double`.
public enum DoubleCodec: FieldCodec {
    @inlinable public static var wireType: WireType { .fixed64 }
    @inlinable public static var defaultValue: Double { 0 }
    @inlinable
    public static func read(from reader: inout WireReader) throws(WireError) -> Double { try reader.double() }
    @inlinable
    public static func write(_ value: Double, to writer: inout WireWriter) { writer.putFixed64(value.bitPattern) }
    public static func writeJSON(_ value: Double, to json: inout JSONWriter) { json.float(value) }
}

import Protobuf

/// A value of JSON, for `--json` where the answer is not a message of the schema.
indirect enum JSONText {
    case null
    case bool(Bool)
    case integer(Int64)
    /// With at most six decimals.
    case decimal(Double)
    case string(String)
    case array([JSONText])
    /// Members in their order.
    case object([(String, JSONText)])

    /// The value on one line.
    var text: String {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.text
    }

    private func write(to writer: inout JSONWriter) {
        switch self {
        case .null: writer.null()
        case .bool(let value): writer.bool(value)
        case .integer(let value): writer.number(value)
        case .decimal(let value): writer.float((value * 1e6).rounded() / 1e6)
        case .string(let value): writer.string(value)
        case .array(let values):
            writer.beginArray()
            for value in values { value.write(to: &writer) }
            writer.endArray()
        case .object(let members):
            writer.beginObject()
            for (name, value) in members {
                writer.key(name)
                value.write(to: &writer)
            }
            writer.endObject()
        }
    }
}

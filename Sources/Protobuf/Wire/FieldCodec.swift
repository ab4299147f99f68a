/// How the values of one scalar type of the schema are read, written and shown as JSON.
///
/// Repeated fields and maps are generic over these, so that there is one implementation of each for all types.
public protocol FieldCodec {
    /// The type in Swift.
    associatedtype Value: Equatable, Sendable
    /// How a value lies on the wire when it is not packed.
    static var wireType: WireType { get }
    /// The value of a field that is not set.
    static var defaultValue: Value { get }
    /// Reads a value without its tag.
    static func read(from reader: inout WireReader) throws(WireError) -> Value
    /// Reads a value without its tag over an earlier one; messages merge, all else is replaced.
    static func merge(into value: inout Value, from reader: inout WireReader) throws(WireError)
    /// Writes a value without its tag.
    static func write(_ value: Value, to writer: inout WireWriter)
    /// Writes a value as JSON.
    static func writeJSON(_ value: Value, to json: inout JSONWriter)
    /// The text of a value as the key of a map in JSON.
    static func keyText(_ value: Value) -> String
    /// The order in which a map's keys are written.
    static func precedes(_ left: Value, _ right: Value) -> Bool
}

extension FieldCodec {
    @inlinable
    public static func merge(into value: inout Value, from reader: inout WireReader) throws(WireError) {
        value = try read(from: &reader)
    }
    @inlinable
    public static func keyText(_ value: Value) -> String { "\(value)" }
    @inlinable
    public static func precedes(_ left: Value, _ right: Value) -> Bool { false }
}

extension FieldCodec where Value: Comparable {
    @inlinable
    public static func precedes(_ left: Value, _ right: Value) -> Bool { left < right }
}

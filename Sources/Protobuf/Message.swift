/// A protobuf message: a value that can be read from and written to the wire format.
///
/// `protoc-gen-tollgate-swift` makes the conformances. Equality covers unknown fields too.
public protocol Message: Equatable, Sendable {
    /// A message with every field unset.
    init()

    /// The full name in the schema, such as `tollgate.v1.ReserveRequest`.
    static var messageName: String { get }

    /// The fields that came over the wire and are not in this build's schema.
    var unknownFields: UnknownFields { get set }

    /// Reads the reader's innermost message to its end and merges it into this one.
    mutating func decode(from reader: inout WireReader) throws(WireError)

    /// Writes every field that is set.
    func encode(to writer: inout WireWriter)

    /// Writes the message as one JSON value, in proto3's mapping.
    func encodeJSON(to json: inout JSONWriter)
}

/// An enum of a schema. A number that the schema does not name is kept.
public protocol MessageEnum: Hashable, Sendable {
    /// The member of a number.
    init(rawValue: Int32)
    /// The member's number on the wire.
    var rawValue: Int32 { get }
    /// The member's name in the schema; nil for a number without a name.
    var protoName: String? { get }
}

extension Message {
    /// A message filled in by a closure: `ReserveRequest.with { $0.feature = "chat" }`.
    @inlinable
    public static func with<E: Error>(_ build: (inout Self) throws(E) -> Void) throws(E) -> Self {
        var message = Self()
        try build(&message)
        return message
    }

    /// Reads a message from all of the given bytes.
    @inlinable
    public init(wireBytes: UnsafeRawBufferPointer) throws(WireError) {
        self.init()
        var reader = try WireReader(wireBytes)
        try decode(from: &reader)
    }

    /// Reads a message from all of the given bytes.
    @inlinable
    public init(wireBytes: [UInt8]) throws(WireError) {
        // `withUnsafeBytes` would forget the type of what is thrown.
        let result = wireBytes.withUnsafeBytes { bytes in
            Result { () throws(WireError) in try Self(wireBytes: bytes) }
        }
        self = try result.get()
    }

    /// The message's bytes on the wire. Equal messages have equal bytes.
    @inlinable
    public func wireBytes() -> [UInt8] {
        var writer = WireWriter()
        encode(to: &writer)
        return writer.bytes()
    }

    /// Adds the message's bytes to others.
    @inlinable
    public func encode(appendingTo bytes: inout [UInt8]) {
        var writer = WireWriter()
        encode(to: &writer)
        writer.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    /// The message as JSON text in proto3's mapping: lowerCamelCase names, 64-bit numbers as strings, bytes in base64,
    /// enums by name, unset fields left out.
    public func jsonString() -> String {
        var json = JSONWriter()
        encodeJSON(to: &json)
        return json.text
    }
}

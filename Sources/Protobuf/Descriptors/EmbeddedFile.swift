/// A schema file that generated code carries, for server reflection.
public struct EmbeddedFile: Sendable {
    /// The path from the schemas' root, such as `tollgate/v1/metering.proto`.
    public let name: String
    private let base64: StaticString

    /// A file whose serialized `FileDescriptorProto` is given in base64, over as many lines as it takes.
    public init(name: String, base64: StaticString) {
        self.name = name
        self.base64 = base64
    }

    /// The serialized `google.protobuf.FileDescriptorProto`, decoded on each use.
    public var descriptorBytes: [UInt8] {
        let text = UnsafeBufferPointer(start: base64.utf8Start, count: base64.utf8CodeUnitCount)
        guard let bytes = Base64.decode(text.lazy.filter({ $0 != UInt8(ascii: "\n") })) else {
            preconditionFailure("The descriptor of \(name) that was built in is not base64.")
        }
        return bytes
    }
}

/// Why no code is generated from a schema.
enum SchemaFault: Error, CustomStringConvertible {
    /// An option of the command line that does not exist or has a wrong value.
    case wrongParameter(String)
    /// A file in another language than proto3.
    case notProto3(file: String)
    /// A type that is neither in the schemas nor among the well-known ones that `Protobuf` has.
    case unknownType(String, field: String)
    /// A group, which proto3 does not have.
    case group(field: String)
    /// A call of Tollgate's that does not say who may make it.
    case noPermission(method: String)
    /// A direct method that streams.
    case directStream(method: String)

    var description: String {
        switch self {
        case .wrongParameter(let text):
            "unknown option '\(text)'; there are Visibility=public|package, Descriptors=NAME, Namespace=NAME, Import=MODULE"
        case .notProto3(let file): "\(file): only proto3 is understood; add 'syntax = \"proto3\";'"
        case .unknownType(let type, let field): "\(field): the type \(type) is not known"
        case .group(let field): "\(field): groups are not supported"
        case .noPermission(let method):
            "\(method): every call of Tollgate says who may make it; add 'option (tollgate.v1.permission) = \"…\";'"
        case .directStream(let method): "\(method): only a unary call can be (tollgate.v1.direct)"
        }
    }
}

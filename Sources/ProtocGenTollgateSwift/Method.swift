import Protobuf

/// A method of a service, with all that its generated code needs to know.
struct Method {
    /// The name in the schema.
    let protoName: String
    /// The name in Swift.
    let name: String
    /// The case of `CallShape`.
    let shape: String
    /// The types of request and response.
    let request: String
    let response: String
    /// The permission that it needs; empty for everyone.
    let permission: String
    /// Whether its handler runs on the event loop.
    let isDirect: Bool
    /// What the schema says about it.
    let comment: String?

    /// A method of a service. One of Tollgate's own that does not say who may call it is a fault.
    init(
        _ method: MethodDescriptorProto, of service: ServiceDescriptorProto, in file: FileDescriptorProto,
        _ types: TypeIndex, comment: String?
    ) throws(SchemaFault) {
        let fullName = "\(file.package).\(service.name).\(method.name)"
        let options = method.options ?? MethodOptions()
        if file.package == "tollgate" || file.package.hasPrefix("tollgate."), (options.permission ?? "").isEmpty {
            throw .noPermission(method: fullName)
        }
        if options.isDirect, method.streamsRequests || method.streamsResponses { throw .directStream(method: fullName) }
        protoName = method.name
        name = Naming.method(method.name)
        shape =
            switch (method.streamsRequests, method.streamsResponses) {
            case (false, false): "unary"
            case (true, false): "clientStreaming"
            case (false, true): "serverStreaming"
            case (true, true): "bidirectional"
            }
        request = try types.swiftName(method.inputType, field: fullName)
        response = try types.swiftName(method.outputType, field: fullName)
        permission = options.permission ?? ""
        isDirect = options.isDirect
        self.comment = comment
    }

    // MARK: The client's side

    /// The stub's function.
    var clientSignature: String {
        let options = "options: CallOptions = CallOptions()"
        return switch shape {
        case "unary": "\(name)(_ request: \(request), \(options)) async throws(RPCError) -> \(response)"
        case "clientStreaming": "\(name)(\(options)) -> ClientStreamingCall<\(request), \(response)>"
        case "serverStreaming": "\(name)(_ request: \(request), \(options)) -> ResponseStream<\(response)>"
        default: "\(name)(\(options)) -> BidirectionalCall<\(request), \(response)>"
        }
    }

    /// What the stub does.
    func clientCall(_ descriptor: String) -> String {
        switch shape {
        case "unary": "try await channel.unary(\(descriptor), request, options: options)"
        case "serverStreaming": "channel.serverStreaming(\(descriptor), request, options: options)"
        default: "channel.\(shape)(\(descriptor), options: options)"
        }
    }

    // MARK: The server's side

    /// The service's function.
    var serviceSignature: String {
        let requests = "requests: RequestStream<\(request)>"
        let writer = "response: ResponseWriter<\(response)>, context: ServerContext"
        return switch shape {
        case "unary" where isDirect: "\(name)(_ request: \(request), call: DirectCall<\(response)>)"
        case "unary": "\(name)(_ request: \(request), context: ServerContext) async throws -> \(response)"
        case "clientStreaming": "\(name)(\(requests), context: ServerContext) async throws -> \(response)"
        case "serverStreaming": "\(name)(_ request: \(request), \(writer)) async throws"
        default: "\(name)(\(requests), \(writer)) async throws"
        }
    }

    /// The statement that puts the method into a registry.
    func registration(_ table: String) -> String {
        let descriptor = "\(table).\(Naming.member(name))"
        let call =
            switch shape {
            case "unary" where isDirect: "\(name)($0, call: $1)"
            case "unary": "try await \(name)($0, context: $1)"
            case "clientStreaming": "try await \(name)(requests: $0, context: $1)"
            case "serverStreaming": "try await \(name)($0, response: $1, context: $2)"
            default: "try await \(name)(requests: $0, response: $1, context: $2)"
            }
        return "registry.\(isDirect ? "direct" : shape)(\(descriptor)) { \(call) }"
    }
}

import Protobuf

/// `grpc.reflection.v1.ServerReflection` and its older twin `v1alpha`, whose messages are the same on the wire.
///
/// Each request is answered by itself: what is not known is an error response in a stream that lives on. A file is sent
/// with all that it imports, so that no further question is needed.
package struct ReflectionServer: ServerReflectionService {
    /// The full names under which it is served.
    package static let names = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]

    private let services: [String]
    private let index: SymbolIndex

    /// The schema files of what this module itself serves.
    private static let ownFiles =
        HealthDescriptors.files + ReflectionDescriptors.files + ReflectionV1AlphaDescriptors.files
        + StatusDescriptors.files

    /// A service that describes these services from their embedded schema files; those of health checks and of
    /// reflection itself are known.
    package init(services: [String], files: [EmbeddedFile]) throws(WireError) {
        self.services = (services + ReflectionServer.names).sorted()
        index = try SymbolIndex(descriptors: (files + ReflectionServer.ownFiles).map(\.descriptorBytes))
    }

    /// Registers both names.
    package func registerBoth(in registry: ServiceRegistry) {
        register(in: registry)
        let older = MethodDescriptor(
            service: ReflectionServer.names[1], name: "ServerReflectionInfo", shape: .bidirectional)
        registry.bidirectional(older) { try await serverReflectionInfo(requests: $0, response: $1, context: $2) }
    }

    package func serverReflectionInfo(
        requests: RequestStream<ServerReflectionRequest>, response: ResponseWriter<ServerReflectionResponse>,
        context: ServerContext
    ) async throws {
        var count = 0
        for try await request in requests {
            count += 1
            guard count <= Limits.reflectionRequests else {
                throw RPCError(code: .resourceExhausted, message: "too many requests in one stream")
            }
            try await response.write(answer(request))
        }
    }

    /// The answer to one request.
    func answer(_ request: ServerReflectionRequest) -> ServerReflectionResponse {
        .with { response in
            response.validHost = request.host
            response.originalRequest = request
            response.messageResponse = answer(to: request.messageRequest)
        }
    }

    private func answer(
        to question: ServerReflectionRequest.MessageRequest?
    ) -> ServerReflectionResponse.MessageResponse {
        switch question {
        case .fileByFilename(let name):
            return files(name, asked: name)
        case .fileContainingSymbol(let symbol):
            let symbol = symbol.hasPrefix(".") ? String(symbol.dropFirst()) : symbol
            return files(index.file(declaring: symbol), asked: symbol)
        case .fileContainingExtension(let wanted):
            let found = index.file(declaring: .init(messageName: wanted.containingType, number: wanted.extensionNumber))
            return files(found, asked: "\(wanted.containingType)[\(wanted.extensionNumber)]")
        case .allExtensionNumbersOfType(let name):
            guard let numbers = index.extensionNumbers(of: name) else { return notFound(name) }
            return .allExtensionNumbersResponse(
                .with {
                    $0.baseTypeName = name
                    $0.extensionNumber = numbers
                })
        case .listServices:
            return .listServicesResponse(.with { $0.service = services.map { name in .with { $0.name = name } } })
        case nil:
            return error(.invalidArgument, "the request asks nothing")
        }
    }

    /// A file with its imports, or that it is not known.
    private func files(_ name: String?, asked: String) -> ServerReflectionResponse.MessageResponse {
        guard let found = name.flatMap(index.fileWithDependencies) else { return notFound(asked) }
        return .fileDescriptorResponse(.with { $0.fileDescriptorProto = found })
    }

    private func notFound(_ what: String) -> ServerReflectionResponse.MessageResponse {
        error(.notFound, "not found: \(what)")
    }

    private func error(_ code: RPCStatusCode, _ message: String) -> ServerReflectionResponse.MessageResponse {
        .errorResponse(
            .with {
                $0.errorCode = Int32(code.rawValue)
                $0.errorMessage = message
            })
    }
}

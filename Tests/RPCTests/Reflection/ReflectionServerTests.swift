import Protobuf
import Testing

@testable import RPC

@Suite struct ReflectionServerTests {
    private let server: ReflectionServer

    init() throws {
        server = try ReflectionServer(services: ["grpc.health.v1.Health"], files: [])
    }

    /// The names of the files in an answer, or the error's number.
    private func ask(_ question: ServerReflectionRequest.MessageRequest) throws -> [String] {
        let answer = server.answer(.with { $0.messageRequest = question })
        switch answer.messageResponse {
        case .fileDescriptorResponse(let response):
            return try response.fileDescriptorProto.map { try FileDescriptorProto(wireBytes: $0).name }
        case .listServicesResponse(let response): return response.service.map(\.name)
        case .allExtensionNumbersResponse(let response): return response.extensionNumber.map { "\($0)" }
        case .errorResponse(let error): return ["error \(error.errorCode)"]
        case nil: return []
        }
    }

    @Test(arguments: [
        "grpc.health.v1.Health", "grpc.health.v1.Health.Watch", "grpc.health.v1.HealthCheckRequest",
        "grpc.health.v1.HealthCheckRequest.service", "grpc.health.v1.HealthCheckResponse.ServingStatus",
        ".grpc.health.v1.Health",
    ])
    func servicesMethodsMessagesFieldsAndEnumsAreSymbols(symbol: String) throws {
        #expect(try ask(.fileContainingSymbol(symbol)) == ["grpc/health/v1/health.proto"])
    }

    @Test func aFileComesWithAllThatItImportsItselfFirst() throws {
        #expect(
            try ask(.fileByFilename("google/rpc/status.proto")) == [
                "google/rpc/status.proto", "google/protobuf/any.proto",
            ])
    }

    @Test func whatIsNotKnownIsAnErrorInTheStream() throws {
        #expect(try ask(.fileContainingSymbol("no.Such")) == ["error 5"])
        #expect(try ask(.fileByFilename("no/such.proto")) == ["error 5"])
        #expect(try ask(.allExtensionNumbersOfType("no.Such")) == ["error 5"])
        let `extension` = ExtensionRequest.with {
            $0.containingType = "grpc.health.v1.HealthCheckRequest"
            $0.extensionNumber = 7
        }
        #expect(try ask(.fileContainingExtension(`extension`)) == ["error 5"])
        #expect(try ask(.allExtensionNumbersOfType("grpc.health.v1.HealthCheckRequest")) == [])
    }

    @Test func theServicesAreListedWithReflectionItself() throws {
        #expect(
            try ask(.listServices("")) == [
                "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                "grpc.reflection.v1alpha.ServerReflection",
            ])
    }

    @Test func extensionsAreFoundByTypeAndNumber() throws {
        let file = FileDescriptorProto.with {
            $0.name = "x.proto"
            $0.extensions = [
                .with {
                    $0.name = "permission"
                    $0.extendee = ".google.protobuf.MethodOptions"
                    $0.number = 50_001
                }
            ]
        }
        let index = try SymbolIndex(descriptors: [file.wireBytes()])
        #expect(index.extensionNumbers(of: "google.protobuf.MethodOptions") == [50_001])
        #expect(index.file(declaring: .init(messageName: "google.protobuf.MethodOptions", number: 50_001)) == "x.proto")
        #expect(index.file(declaring: "permission") == "x.proto")
    }
}

import HTTP2
import Testing

@testable import RPC

@Suite struct GRPCRequestHeadTests {
    private static let methods: MethodTable = {
        let registry = ServiceRegistry()
        EchoService().register(in: registry)
        return MethodTable(registry.methods)
    }()

    /// What a head is made into, as a word.
    private func read(_ changes: [String: String?]) -> String {
        let normal: [(String, String)] = [
            (":method", "POST"), (":scheme", "http"), (":path", "/tollgate.test.Echo/Direct"), ("te", "trailers"),
            ("content-type", "application/grpc"),
        ]
        var headers = HTTP2Headers()
        for (name, value) in normal where changes[name] == nil { headers.add(name: name, value: value) }
        for (name, value) in changes { if let value { headers.add(name: name, value: value) } }
        switch GRPCRequestHead(headers, methods: GRPCRequestHeadTests.methods) {
        case .call(let method, let timeoutNs): return "\(method.descriptor.name) \(timeoutNs.map(String.init) ?? "-")"
        case .refused(let error): return error.code.name
        case .unknownEncoding: return "encoding"
        case .healthCheck: return "health"
        case .metrics: return "metrics"
        case .http(.methodNotAllowed): return "405"
        case .http(.unsupportedMediaType): return "415"
        }
    }

    @Test(arguments: [
        ("application/grpc", "Direct -"), ("application/grpc+proto", "Direct -"),
        ("application/grpc; charset=utf-8", "Direct -"),
        ("application/grpc+proto;v=1", "Direct -"), ("application/grpcx", "415"), ("application/grpc+json", "415"),
        ("application/grpc-web", "415"), ("application/json", "415"), ("", "415"),
    ])
    func onlyTheContentTypesOfGRPCAreTaken(type: String, outcome: String) {
        #expect(read(["content-type": type]) == outcome)
    }

    @Test(arguments: [
        ("/tollgate.test.Echo/Chat", "Chat -"), ("/tollgate.test.Echo/Nothing", "UNIMPLEMENTED"),
        ("/", "UNIMPLEMENTED"),
        ("/tollgate.test.Echo/", "UNIMPLEMENTED"), ("/tollgate.test.Echo/Direct/", "UNIMPLEMENTED"),
        ("/tollgate.test.echo/Direct", "UNIMPLEMENTED"), ("", "UNIMPLEMENTED"), ("*", "UNIMPLEMENTED"),
    ])
    func aPathNamesAMethodOrNothing(path: String, outcome: String) {
        #expect(read([":path": path]) == outcome)
    }

    @Test(arguments: [
        ("5S", "Direct 5000000000"), ("0n", "Direct 0"), ("99999999H", "Direct \(Int64.max)"),
        ("5", "INVALID_ARGUMENT"),
        ("123456789S", "INVALID_ARGUMENT"), ("", "INVALID_ARGUMENT"),
    ])
    func aTimeoutIsReadOrRefused(timeout: String, outcome: String) {
        #expect(read(["grpc-timeout": timeout]) == outcome)
    }

    @Test func encodingsBinaryMetadataAndMethodsAreChecked() {
        #expect(read(["grpc-encoding": "identity"]) == "Direct -")
        #expect(read(["grpc-encoding": "gzip"]) == "encoding")
        #expect(read(["a-bin": "AQ==,Ag"]) == "Direct -")
        #expect(read(["a-bin": "A"]) == "INTERNAL")
        #expect(read(["te": String?.none]) == "Direct -")
        #expect(read([":method": "PUT"]) == "405")
        #expect(read([":method": "GET"]) == "405")
        #expect(read([":method": "GET", ":path": "/healthz"]) == "health")
        #expect(read([":method": "GET", ":path": "/healthz?x"]) == "health")
        #expect(read([":method": "GET", ":path": "/healthzx"]) == "405")
        #expect(read([":method": "GET", ":path": "/metrics"]) == "metrics")
        #expect(read([":method": "POST", ":path": "/metrics", "content-type": "text/plain"]) == "415")
        #expect(read([":method": "POST", ":path": "/healthz", "content-type": "text/plain"]) == "415")
    }

    @Test func everyRegisteredMethodIsFoundByItsPathAndNoOther() {
        let registry = ServiceRegistry()
        for number in 0..<500 {
            registry.direct(
                MethodDescriptor(service: "a.B\(number % 7)", name: "M\(number)", shape: .unary, direct: true)
            ) {
                (_: EchoMessage, call: DirectCall<EchoMessage>) in call.respond(EchoMessage())
            }
        }
        let table = MethodTable(registry.methods)
        func find(_ path: String) -> String? {
            Array(path.utf8).withUnsafeBytes { table.find($0)?.descriptor.path }
        }
        for descriptor in registry.descriptors { #expect(find(descriptor.path) == descriptor.path) }
        #expect(find("/a.B0/M1") == nil && find("") == nil && find("/a.B0/M500") == nil)
    }
}

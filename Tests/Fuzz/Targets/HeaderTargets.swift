import HTTP2
import Protobuf
import RPC
import TollgateSchema

extension FuzzTarget {
    /// Received headers as metadata, and metadata to be sent.
    static let metadata = FuzzTarget(name: "metadata", seeds: { HeaderSeeds.all }) { bytes in
        var input = FuzzInput(bytes)
        let headers = headers(&input)
        guard let metadata = Metadata(received: headers) else { return }
        for entry in metadata.entries {
            try hold(!Metadata.isReserved(entry.key), "\(entry.key) belongs to the protocol")
            var again = Metadata()
            switch entry.value {
            case .text(let text):
                try hold(!entry.key.hasSuffix("-bin"), "a text under \(entry.key)")
                // What may be sent comes back as it went; what may not was told.
                guard (try? again.add(entry.key, text)) != nil else { continue }
            case .bytes(let bytes):
                try hold(entry.key.hasSuffix("-bin"), "bytes under \(entry.key)")
                guard (try? again.add(entry.key, bytes: bytes)) != nil else { continue }
            }
            var back = Metadata()
            let isTaken = back.addReceived(name: again.entries[0].key, value: again.entries[0].wireValue)
            try hold(isTaken && back == again, "\(entry.key) comes back as something else")
            try hold(again.wireBytes >= entry.key.utf8.count + 32, "the size is too small")
        }
        try checkBase64(headers)
    }

    /// Both readers of base64's neighbours: what is decoded is encoded to the same, but for its padding.
    private static func checkBase64(_ headers: HTTP2Headers) throws {
        for (_, value) in headers.pairs {
            guard let bytes = Base64.decode(value.utf8) else { continue }
            try hold(bytes.count <= value.utf8.count, "base64 that grows")
            try hold(Base64.decode(Base64.encode(bytes, padded: true).utf8) == bytes, "padded base64 of \(bytes)")
            try hold(Base64.decode(Base64.encode(bytes, padded: false).utf8) == bytes, "base64 of \(bytes)")
        }
    }

    /// What the server makes of a request's headers.
    static let requestHead = FuzzTarget(name: "requesthead", seeds: { HeaderSeeds.all }) { bytes in
        var input = FuzzInput(bytes)
        let headers = headers(&input)
        let last = { (name: String) in headers.pairs.last { $0.name == name }?.value }
        switch GRPCRequestHead(headers, methods: methods) {
        case .call(let method, let timeoutNs):
            try hold(last(":method") == "POST" && last(":path") == method.descriptor.path, "another method is called")
            try hold(last("content-type")?.hasPrefix("application/grpc") == true, "not gRPC, but taken for it")
            try hold((timeoutNs == nil) == (last("grpc-timeout") == nil), "a time-out that was not sent, or lost")
            try hold(Metadata(received: headers) != nil, "a call whose binary metadata is broken")
            try hold((last("grpc-encoding") ?? "identity") == "identity", "an encoding that nobody here reads")
        case .refused(let error):
            try hold(error.code != .ok, "refused with the status OK")
        case .healthCheck, .metrics:
            try hold(last(":method") == "GET", "a page that nobody asks for by GET")
        case .unknownEncoding:
            try hold(last("grpc-encoding") != nil, "an unknown encoding that nobody named")
        case .http(.methodNotAllowed):
            try hold(last(":method") != "POST", "POST is not allowed")
        case .http(.unsupportedMediaType):
            try hold(last("content-type") != "application/grpc", "gRPC's own type is not taken")
        }
    }

    private static let methods: MethodTable = {
        let registry = ServiceRegistry()
        for name in ["Reserve", "Commit", "R"] {
            let method = MethodDescriptor(service: "tollgate.v1.Metering", name: name, shape: .unary, direct: true)
            registry.direct(method) { (_: Empty, call: DirectCall<Empty>) in call.respond(Empty()) }
        }
        return MethodTable(registry.methods)
    }()

    /// Headers of lines `name: value`, up to an empty line. What HTTP/2 refuses before it comes here is replaced: names are
    /// of lower-case ASCII, values have no control characters.
    static func headers(_ input: inout FuzzInput) -> HTTP2Headers {
        var headers = HTTP2Headers()
        while !input.isEmpty {
            let line = input.take(input.rest.firstIndex(of: UInt8(ascii: "\n")) ?? input.rest.count)
            _ = input.byte()
            guard !line.isEmpty else { break }
            // A name may begin with a colon.
            let colon = line.dropFirst().firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
            let name = line[..<colon].map {
                (0x41...0x5A).contains($0) ? $0 | 0x20 : (0x21...0x7E).contains($0) ? $0 : 0x78
            }
            let value = line[colon...].dropFirst().drop { $0 == 0x20 }.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 }
            name.withUnsafeBytes { name in value.withUnsafeBytes { headers.append(name, $0) } }
        }
        return headers
    }
}

enum HeaderSeeds {
    static var all: [[UInt8]] {
        let call = ":method: POST\n:path: /tollgate.v1.Metering/Reserve\ncontent-type: application/grpc\nte: trailers\n"
        return [
            call, call + "grpc-timeout: 5S\n", call + "grpc-timeout: soon\n", call + "grpc-encoding: gzip\n",
            call + "a-bin: AQ==,Ag\n", call + "a-bin: A\n", call + "-bin: A\n", call + "grpc-trace-bin: !\n",
            call + "authorization: Bearer tg_00\ntollgate-tenant: acme\n", ":method: GET\n:path: /healthz\n",
            ":method: GET\n:path: /healthz?x\n", ":method: PUT\n", ":path: /\n:method: POST\n",
            ":method: POST\ncontent-type: application/grpc+proto;v=1\n:path: /tollgate.v1.Metering/R\n",
            ":method: POST\ncontent-type: application/grpcx\n", "x: 1\nx: 2\nX-Y: ü\nempty:\n: \n",
            "a-bin: Zm9v,,Zg==\na-bin: Zg=\na-bin: Z=g=\n", "content-length: 5\nhost: a\n",
        ].map { .text($0) }
    }
}

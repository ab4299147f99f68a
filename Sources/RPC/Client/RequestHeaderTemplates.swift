import HTTP2

/// The request headers of each method as far as they are the same for all its calls to one endpoint. A call without a
/// timeout and metadata of its own sends them as they stand, without copying them here.
struct RequestHeaderTemplates {
    private let authority: String
    private let metadata: Metadata
    /// By path. There are as many as the program has methods, so that it needs no bound of its own beyond that of the schema.
    private var templates: [String: HTTP2Headers] = [:]

    init(authority: String, metadata: Metadata) {
        self.authority = authority
        self.metadata = metadata
    }

    /// The headers of a method's calls.
    mutating func headers(for method: MethodDescriptor) -> HTTP2Headers {
        if let known = templates[method.path] { return known }
        var headers = HTTP2Headers(reservingBytes: 512)
        headers.add(":method", "POST")
        headers.add(":scheme", "http")
        headers.add(name: ":path", value: method.path)
        headers.add(name: ":authority", value: authority)
        headers.add("te", "trailers")
        headers.add("content-type", "application/grpc")
        headers.add("user-agent", "tollgate-swift/1")
        headers.add("grpc-accept-encoding", "identity")
        headers.add(metadata)
        if templates.count < Limits.headerTemplates { templates[method.path] = headers }
        return headers
    }
}

extension HTTP2Headers {
    /// Adds metadata as it crosses the wire.
    mutating func add(_ metadata: Metadata) {
        for entry in metadata.entries { add(name: entry.key, value: entry.wireValue) }
    }
}

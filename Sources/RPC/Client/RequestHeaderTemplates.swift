import HTTP2

/// The request headers of each method as far as they are the same for all its calls on one connection. A call without
/// metadata of its own, and without a timeout or with the one that the call before it had, sends them as they stand,
/// without copying them here.
struct RequestHeaderTemplates {
    private struct Template {
        let plain: HTTP2Headers
        /// The last timeout that a call had, and the headers with it.
        var timeoutNs: Int64 = -1
        var timed = HTTP2Headers()
    }

    private let authority: String
    private let metadata: Metadata
    /// By path.
    private var templates: [String: Template] = [:]

    init(authority: String, metadata: Metadata) {
        self.authority = authority
        self.metadata = metadata
    }

    /// The headers of a method's calls, with a timeout or without.
    mutating func headers(for method: MethodDescriptor, timeoutNs: Int64?) -> HTTP2Headers {
        if let known = templates[method.path] {
            guard let timeoutNs else { return known.plain }
            if known.timeoutNs == timeoutNs { return known.timed }
        }
        var template = templates[method.path] ?? Template(plain: plainHeaders(path: method.path))
        if let timeoutNs {
            template.timeoutNs = timeoutNs
            template.timed = template.plain
            template.timed.add(name: "grpc-timeout", value: CallTimeout.format(nanoseconds: timeoutNs))
        }
        keep(template, path: method.path)
        return timeoutNs == nil ? template.plain : template.timed
    }

    private mutating func keep(_ template: Template, path: String) {
        if templates.count < Limits.headerTemplates || templates[path] != nil { templates[path] = template }
    }

    private func plainHeaders(path: String) -> HTTP2Headers {
        var headers = HTTP2Headers(reservingBytes: 512)
        headers.add(":method", "POST")
        headers.add(":scheme", "http")
        headers.add(name: ":path", value: path)
        headers.add(name: ":authority", value: authority)
        headers.add("te", "trailers")
        headers.add("content-type", "application/grpc")
        headers.add("user-agent", "tollgate-swift/1")
        headers.add("grpc-accept-encoding", "identity")
        headers.add(metadata)
        return headers
    }
}

extension HTTP2Headers {
    /// Adds metadata as it crosses the wire.
    mutating func add(_ metadata: Metadata) {
        for entry in metadata.entries { add(name: entry.key, value: entry.wireValue) }
    }
}

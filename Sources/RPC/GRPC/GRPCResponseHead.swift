import HTTP2
import Protobuf

/// The header blocks that a server sends. Those of a plain success are the same in every call and made once.
enum GRPCResponseHead {
    /// Before the messages.
    static let headers = HTTP2ConstantHeaders(headers())
    /// After the messages of a call that succeeded.
    static let okTrailers = HTTP2ConstantHeaders(trailers(error: nil, metadata: Metadata()))

    /// Before the messages, with metadata of the application.
    static func headers(metadata: Metadata = Metadata()) -> HTTP2Headers {
        var headers = HTTP2Headers()
        headers.add(":status", "200")
        headers.add("content-type", "application/grpc")
        add(metadata, to: &headers)
        return headers
    }

    /// The status, beside metadata of the application.
    static func trailers(error: RPCError?, metadata: Metadata) -> HTTP2Headers {
        withStatus(error, metadata: metadata, after: HTTP2Headers())
    }

    /// The whole answer in one block, where there are no messages (WIRE.md, gRPC 1).
    static func trailersOnly(error: RPCError?, metadata: Metadata, acceptedEncoding: Bool = false) -> HTTP2Headers {
        var headers = headers()
        if acceptedEncoding { headers.add("grpc-accept-encoding", "identity") }
        return withStatus(error, metadata: metadata, after: headers)
    }

    /// A block with the status at its end. What is more than a block may hold is left out, details and metadata first:
    /// the caller must get its status.
    private static func withStatus(_ error: RPCError?, metadata: Metadata, after start: HTTP2Headers) -> HTTP2Headers {
        var headers = start
        addStatus(error, metadata: metadata, to: &headers)
        guard headers.listSizeBytes > HTTP2.Limits.sentHeaderListBytesMax else { return headers }
        headers = start
        let bare = error.map { RPCError(code: $0.code, message: $0.message) }
        addStatus(bare, metadata: Metadata(), to: &headers)
        return headers
    }

    private static func addStatus(
        _ error: RPCError?, metadata: Metadata, to headers: inout HTTP2Headers
    ) {
        guard let error else {
            headers.add("grpc-status", "0")
            add(metadata, to: &headers)
            return
        }
        headers.add(name: "grpc-status", value: String(error.code.rawValue))
        if !error.message.isEmpty {
            headers.add(name: "grpc-message", value: PercentEncoding.encode(error.message))
        }
        if let details = error.statusDetails {
            headers.add(name: "grpc-status-details-bin", value: Base64.encode(details, padded: false))
        }
        add(metadata, to: &headers)
        add(error.metadata, to: &headers)
    }

    private static func add(_ metadata: Metadata, to headers: inout HTTP2Headers) {
        for entry in metadata.entries { headers.add(name: entry.key, value: entry.wireValue) }
    }
}

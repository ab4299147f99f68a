import Glibc
import HTTP2

/// One connection of a channel. Confined to the channel's loop.
final class ClientConnection {
    let http2: HTTP2Connection
    private var templates: RequestHeaderTemplates

    init(_ http2: HTTP2Connection, endpoint: Endpoint, metadata: Metadata) {
        self.http2 = http2
        templates = RequestHeaderTemplates(authority: endpoint.description, metadata: metadata)
    }

    /// Whether the server takes another call now.
    var hasRoom: Bool { http2.availableStreams > 0 }

    /// The headers of a method's calls, as far as they are all the same.
    func headers(for method: MethodDescriptor, timeoutNs: Int64?) -> HTTP2Headers {
        templates.headers(for: method, timeoutNs: timeoutNs)
    }

    /// Opens a call's stream; with a body, that is all that is sent. Nil where the connection takes none any more.
    func open(headers: HTTP2Headers, body: [UInt8]?, delegate: any HTTP2StreamDelegate) -> HTTP2Stream? {
        try? http2.openStream(headers: headers, body: body ?? [], endStream: body != nil, delegate: delegate)
    }
}

extension HTTP2Error {
    /// What a person reads about it.
    var reason: String {
        switch self {
        case .system(let call, let errno): "\(call) failed: \(String(cString: strerror(errno)))"
        case .unresolvable(let host, let reason): "\(host) has no address: \(reason)"
        case .connectTimedOut: "no connection was made in time"
        case .connectionLost: "the other end closed it"
        case .protocolViolation(let reason): reason
        case .closedLocally: "it was closed on this side"
        case .notAcceptingStreams: "it takes no more calls"
        }
    }
}

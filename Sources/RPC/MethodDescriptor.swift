/// Which side of a call sends one message and which sends many.
public enum CallShape: Sendable, Hashable, CaseIterable {
    /// One request, one response.
    case unary
    /// Many requests, one response.
    case clientStreaming
    /// One request, many responses.
    case serverStreaming
    /// Many requests, many responses, in no fixed order between the two.
    case bidirectional

    /// Whether the client may send any number of messages.
    public var streamsRequests: Bool { self == .clientStreaming || self == .bidirectional }
    /// Whether the server may send any number of messages.
    public var streamsResponses: Bool { self == .serverStreaming || self == .bidirectional }
}

/// What is known of a method from its schema alone. Generated code makes one for each `rpc`.
public struct MethodDescriptor: Sendable, Hashable {
    /// The service's full name, such as `tollgate.v1.Metering`.
    public let service: String
    /// The method's name, such as `Reserve`.
    public let name: String
    /// The `:path` of its calls, such as `/tollgate.v1.Metering/Reserve`.
    public let path: String
    /// Who streams.
    public let shape: CallShape
    /// The permission that the caller needs; empty where anyone may call.
    public let permission: String
    /// Whether the handler runs on the event loop's thread and answers through a `DirectCall`.
    public let direct: Bool

    /// A method of a service; the path follows from the names.
    public init(service: String, name: String, shape: CallShape, permission: String = "", direct: Bool = false) {
        precondition(!direct || shape == .unary, "Only a unary method can be direct.")
        self.service = service
        self.name = name
        self.path = "/" + service + "/" + name
        self.shape = shape
        self.permission = permission
        self.direct = direct
    }
}

import Protobuf

/// Why a call did not succeed: a status, a text for people, and details for programs.
///
/// A handler throws one to choose what its caller sees. An error that is not an `RPCError` reaches the caller as
/// `INTERNAL` without its text, so that nothing private leaves the server by accident.
public struct RPCError: Error, Sendable {
    /// The status; never `.ok`.
    public var code: RPCStatusCode
    /// What a person may read. It crosses the wire percent-encoded and is cut at 4 KiB.
    public var message: String
    /// What a program may read: messages of `google.rpc`, carried in `grpc-status-details-bin`.
    public var details: [ProtoAny]
    /// Further trailing metadata of the call.
    public var metadata: Metadata
    /// What led to this on the side where the error was made; it never crosses the wire.
    public var cause: (any Error)?

    /// An error with a status other than `.ok`.
    public init(
        code: RPCStatusCode, message: String, details: [ProtoAny] = [], metadata: Metadata = Metadata(),
        cause: (any Error)? = nil
    ) {
        precondition(code != .ok, "An error cannot have the status OK.")
        self.code = code
        self.message = message
        self.details = details
        self.metadata = metadata
        self.cause = cause
    }

    /// Any error as an `RPCError`: itself, `CANCELLED` for a cancelled task, else `INTERNAL` without its text.
    public init(hiding error: any Error) {
        if let known = error as? RPCError {
            self = known
        } else if error is CancellationError {
            self.init(code: .cancelled, message: "the call was cancelled", cause: error)
        } else {
            self.init(code: .internal, message: "internal error", cause: error)
        }
    }
}

extension RPCError: CustomStringConvertible {
    /// The status and the text, as a log wants them.
    public var description: String { message.isEmpty ? code.name : "\(code.name): \(message)" }
}

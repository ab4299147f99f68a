/// The status with which a call ends, as the gRPC specification numbers it (doc/statuscodes.md).
public enum RPCStatusCode: Int, Sendable, Hashable, CaseIterable {
    /// The call did what was asked.
    case ok = 0
    /// The caller gave up on the call.
    case cancelled = 1
    /// An error of which nothing more is known.
    case unknown = 2
    /// The request is wrong whatever the state of the server.
    case invalidArgument = 3
    /// The time that the caller allowed has passed; the call may still have had its effect.
    case deadlineExceeded = 4
    /// What the request names does not exist, as far as this caller may know.
    case notFound = 5
    /// What the request would create exists already.
    case alreadyExists = 6
    /// The caller is known and may not do this.
    case permissionDenied = 7
    /// A quota, a balance or a size has no room left.
    case resourceExhausted = 8
    /// The state of the system does not allow the call now; trying again does not help.
    case failedPrecondition = 9
    /// The call lost against another one; try the whole of it again.
    case aborted = 10
    /// The request went past the end of something.
    case outOfRange = 11
    /// The method is not there, or not in this form.
    case unimplemented = 12
    /// The server broke a promise of its own.
    case `internal` = 13
    /// The server cannot answer now; try again.
    case unavailable = 14
    /// Data is lost for good.
    case dataLoss = 15
    /// The caller is not known.
    case unauthenticated = 16

    /// The name as the specification writes it, such as `DEADLINE_EXCEEDED`.
    public var name: String {
        switch self {
        case .ok: "OK"
        case .cancelled: "CANCELLED"
        case .unknown: "UNKNOWN"
        case .invalidArgument: "INVALID_ARGUMENT"
        case .deadlineExceeded: "DEADLINE_EXCEEDED"
        case .notFound: "NOT_FOUND"
        case .alreadyExists: "ALREADY_EXISTS"
        case .permissionDenied: "PERMISSION_DENIED"
        case .resourceExhausted: "RESOURCE_EXHAUSTED"
        case .failedPrecondition: "FAILED_PRECONDITION"
        case .aborted: "ABORTED"
        case .outOfRange: "OUT_OF_RANGE"
        case .unimplemented: "UNIMPLEMENTED"
        case .internal: "INTERNAL"
        case .unavailable: "UNAVAILABLE"
        case .dataLoss: "DATA_LOSS"
        case .unauthenticated: "UNAUTHENTICATED"
        }
    }
}

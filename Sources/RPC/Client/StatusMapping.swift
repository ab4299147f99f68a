/// What a call's end means where the server gave no status of its own (WIRE.md, gRPC 8).
enum StatusMapping {
    /// The status of a stream that ended with RST_STREAM and this HTTP/2 error code (RFC 9113, section 7).
    static func code(reset: UInt32) -> RPCStatusCode {
        switch reset {
        // NO_ERROR, PROTOCOL, INTERNAL, FLOW_CONTROL, SETTINGS_TIMEOUT, FRAME_SIZE, COMPRESSION, CONNECT.
        case 0, 1, 2, 3, 4, 6, 9, 10: .internal
        // REFUSED_STREAM: no handler ran.
        case 7: .unavailable
        // CANCEL.
        case 8: .cancelled
        // ENHANCE_YOUR_CALM.
        case 11: .resourceExhausted
        // INADEQUATE_SECURITY.
        case 12: .permissionDenied
        default: .unknown
        }
    }

    /// The status of an answer that is not gRPC, by its HTTP status.
    static func code(httpStatus: Int) -> RPCStatusCode {
        switch httpStatus {
        case 400: .internal
        case 401: .unauthenticated
        case 403: .permissionDenied
        case 404: .unimplemented
        case 429, 502, 503, 504: .unavailable
        default: .unknown
        }
    }
}

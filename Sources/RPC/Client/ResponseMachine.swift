import HTTP2
import Protobuf

/// What one block of response headers says about the call; made from HTTP/2 headers by `ResponseHead(headers:)`.
package struct ResponseHead {
    /// `:status`; 0 in trailers, which have none.
    package var httpStatus = 0
    /// Whether `content-type` is `application/grpc` with or without a suffix.
    package var isGRPC = false
    /// `grpc-status` as it was sent.
    package var status: StatusField = .absent
    /// `grpc-message`, decoded.
    package var message = ""
    /// `grpc-status-details-bin`, decoded; empty where there is none.
    package var details: [UInt8] = []

    /// What stands in `grpc-status`.
    package enum StatusField: Equatable {
        case absent
        case code(RPCStatusCode)
        /// A number that no specification names, or no number.
        case unreadable
    }
}

/// How a call ended as far as the server and the connection say.
package enum ResponseEnd {
    case ok
    case failed(RPCError)
}

/// Follows the response side of one call: head, messages, trailers, each in its place. It decides what the end of the call
/// means and does nothing itself.
package struct ResponseMachine {
    private enum Phase {
        case head
        case messages
        case ended
    }

    private var phase = Phase.head

    package init() {}

    /// Whether the head has arrived: from then on a handler ran, and the call must not be sent again by itself.
    package var isCommitted: Bool { phase != .head }
    /// Whether messages may come.
    package var takesMessages: Bool { phase == .messages }

    /// The first headers of the response. Nil where messages may follow.
    package mutating func head(_ head: ResponseHead, endStream: Bool) -> ResponseEnd? {
        guard phase == .head else {
            phase = .ended
            return .failed(RPCError(code: .internal, message: "the server sent its headers twice"))
        }
        if endStream {
            phase = .ended
            return end(by: head)
        }
        guard head.httpStatus == 200, head.isGRPC else {
            phase = .ended
            return .failed(notGRPC(head))
        }
        phase = .messages
        return nil
    }

    /// The headers after the messages.
    package mutating func trailers(_ trailers: ResponseHead, partialBytes: Int) -> ResponseEnd? {
        guard phase == .messages else { return nil }
        phase = .ended
        if partialBytes > 0, trailers.status == .code(.ok) { return .failed(truncated(partialBytes)) }
        return end(by: trailers)
    }

    /// DATA with END_STREAM: the server ended without trailers.
    package mutating func endWithoutTrailers(partialBytes: Int) -> ResponseEnd? {
        guard phase == .messages else { return nil }
        phase = .ended
        guard partialBytes == 0 else { return .failed(truncated(partialBytes)) }
        return .failed(RPCError(code: .unknown, message: "the server ended the call without a status"))
    }

    /// The messages are not what they should be.
    package mutating func broken(_ error: DeframeError) -> ResponseEnd {
        phase = .ended
        return .failed(error.rpcError)
    }

    /// The stream is gone, where no end came before it: reset by the server, or lost with its connection.
    package mutating func closed(errorCode: UInt32, connectionError: HTTP2Error?) -> RPCError? {
        guard phase != .ended else { return nil }
        phase = .ended
        if let connectionError {
            return RPCError(code: .unavailable, message: "the connection was lost: \(connectionError.reason)")
        }
        return RPCError(
            code: StatusMapping.code(reset: errorCode),
            message: "the server reset the call (HTTP/2 error code \(errorCode))")
    }

    private func end(by head: ResponseHead) -> ResponseEnd {
        switch head.status {
        case .code(.ok):
            return .ok
        case .code(let code):
            // Details that cannot be read are left out: code and message still say what happened.
            let status = head.details.isEmpty ? nil : try? Status(wireBytes: head.details)
            return .failed(RPCError(code: code, message: head.message, details: status?.details ?? []))
        case .unreadable:
            return .failed(RPCError(code: .unknown, message: "the server sent a grpc-status that is none"))
        case .absent where head.httpStatus == 0:
            return .failed(RPCError(code: .unknown, message: "the server ended the call without a status"))
        case .absent:
            return .failed(notGRPC(head))
        }
    }

    private func notGRPC(_ head: ResponseHead) -> RPCError {
        let reason =
            head.httpStatus == 200 ? "an answer that is not gRPC" : "HTTP status \(head.httpStatus)"
        return RPCError(code: StatusMapping.code(httpStatus: head.httpStatus), message: "the server sent \(reason)")
    }

    private func truncated(_ bytes: Int) -> RPCError {
        RPCError(code: .internal, message: "the server ended the call within a message (\(bytes) bytes of it came)")
    }
}

import HTTP2
import Locks
import Protobuf

/// The refusals of an overloaded server, laid out once: who is refused must cost little.
///
/// The time after which to try again doubles with each level of overload. Around it stand several answers that take turns, so
/// that those who were refused together do not come back together.
final class OverloadAnswers: Sendable {
    static let levels = 7
    private static let jitters: [Int64] = [50, 64, 79, 93, 107, 121, 136, 150]
    /// As long as the process lives, as its header blocks do.
    private static let made = Protected<[[UInt8]: OverloadAnswers]>([:])

    private let headers: [HTTP2ConstantHeaders]
    private let errors: [RPCError]

    private init(_ details: [ProtoAny]) {
        errors = (0..<Self.levels).flatMap { level in
            Self.jitters.map { Self.error(afterMs: (Limits.retryAfterMs << level) * $0 / 100, details) }
        }
        headers = errors.map {
            var headers = GRPCResponseHead.trailersOnly(error: $0, metadata: Metadata())
            // What gRPC's own retries go by (gRFC A6); they know nothing of `RetryInfo`.
            let delay = $0.retryInfo?.retryDelay?.duration ?? .zero
            headers.add(name: "grpc-retry-pushback-ms", value: String(delay.nanosecondsClamped / 1_000_000))
            return HTTP2ConstantHeaders(headers)
        }
    }

    /// - Parameter details: of the status, beside `RetryInfo`.
    static func with(_ details: [ProtoAny]) -> OverloadAnswers {
        let key = Status.with { $0.details = details }.wireBytes()
        return made.withLock { made in
            if let answers = made[key] { return answers }
            let answers = OverloadAnswers(details)
            made[key] = answers
            return answers
        }
    }

    func headers(level: Int, turn: Int) -> HTTP2ConstantHeaders { headers[Self.index(level, turn)] }

    func error(level: Int, turn: Int) -> RPCError { errors[Self.index(level, turn)] }

    /// Neighbours in time get answers that are far apart.
    private static func index(_ level: Int, _ turn: Int) -> Int {
        level * jitters.count + (turn &* 5) & (jitters.count - 1)
    }

    private static func error(afterMs: Int64, _ details: [ProtoAny]) -> RPCError {
        RPCError(
            code: .unavailable, message: "the server has more to do than it can; try again later",
            details: details + [.retry(afterMs: afterMs)])
    }
}

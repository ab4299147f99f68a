import HTTP2
import Protobuf

/// What a tenant may cancel.
///
/// A reset frees its stream at once, so that no bound of streams holds who opens and resets (CVE-2023-44487). Behind a proxy
/// the callers of many tenants share a connection: there it is not the connection that answers for a cancelled call but the
/// tenant whose call it is. It may cancel as many as it lets end, some each second beside, and many at once. Beyond that its
/// calls are refused, wherever they come from, until its budget fills again, and its further resets are the connection's.
extension CallShare {
    /// Takes what one cancelled call costs; false where there is nothing left.
    func payForCancel(_ configuration: RPCServerConfiguration, nowNs: Int64) -> Bool {
        if cancels == nil {
            cancels = TokenBucket(
                burst: configuration.cancelBurst, perSecond: configuration.cancelsPerSecond, nowNs: nowNs)
        }
        return cancels?.take(nowNs: nowNs) ?? false
    }

    /// Whether further calls are refused for now. Nothing but a look at a flag for who never cancelled.
    @inline(__always)
    func hasSpentCancels(nowNs: Int64) -> Bool { cancels?.isEmpty(nowNs: nowNs) ?? false }

    /// A call ended that was not cancelled.
    @inline(__always)
    func callEnded() { cancels?.give() }
}

extension ServerCall {
    /// The tenant has cancelled too much.
    static let tooManyCancels = RPCError(
        code: .resourceExhausted, message: "too many calls were cancelled; let calls end, or try again later",
        details: [.retry(afterMs: Limits.cancelRetryAfterMs)])
    static let tooManyCancelsAnswer = HTTP2ConstantHeaders(
        GRPCResponseHead.trailersOnly(error: tooManyCancels, metadata: Metadata()))
}

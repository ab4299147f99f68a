import HTTP2
import Locks

/// Logs who was cut off and why: the first at once, of a storm of them one line in a while and how many there were.
final class CutOffLog: Sendable {
    private struct State {
        var lines: TokenBucket?
        var left = 0
    }

    private let log: Logger
    private let state = Protected(State())

    init(_ log: Logger) { self.log = log }

    @Sendable func tell(_ cutOff: HTTP2CutOff) {
        let left = state.withLock { state -> Int? in
            let nowNs = monotonicNs()
            var lines =
                state.lines
                ?? TokenBucket(
                    burst: Limits.cutOffLinesBurst, perSecond: Limits.cutOffLinesPerSecond, nowNs: nowNs)
            let mayLog = lines.take(nowNs: nowNs)
            state.lines = lines
            guard mayLog else {
                state.left += 1
                return nil
            }
            defer { state.left = 0 }
            return state.left
        }
        guard let left else { return }
        log.warning(
            "cut off",
            [
                "peer": cutOff.peer, "reason": cutOff.reason.rawValue,
                "detail": cutOff.detail.isEmpty ? "-" : cutOff.detail,
                "not_logged_before": String(left),
            ])
    }
}

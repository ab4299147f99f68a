import CLinux
import Locks

/// Those whom nobody knows yet, and sockets that accept them. They are watched by a descriptor of their own, which the loop
/// watches in turn, so that it can look away from all of them at once.
struct Strangers {
    let epoll: Int32
    /// Some were ready when the turn began.
    var areReady = false
    var time = TimeShare()

    /// One that is ready. The kernel tells that one last then, so that all have their turn.
    func next() -> cl_event? {
        var event = cl_event()
        return cl_epoll_wait(epoll, &event, 1, 0) > 0 ? event : nil
    }
}

/// How much of a loop's time strangers may have while others are served too: one part of `Limits.strangersShare`, and a
/// little at once.
struct TimeShare {
    private var leftNs = Limits.strangersBurstNs
    private var lastNs: Int64 = 0

    /// They took so long.
    /// - Parameter isWanted: Others were served of late, and may want the time.
    /// - Returns: for how long the loop looks away from them now.
    mutating func spend(_ spentNs: Int64, nowNs: Int64, isWanted: Bool) -> Int64 {
        guard isWanted else {
            leftNs = Limits.strangersBurstNs
            lastNs = nowNs
            return 0
        }
        let earnedNs = (nowNs - lastNs) / Limits.strangersShare
        leftNs = min(Limits.strangersBurstNs, leftNs + earnedNs) - spentNs
        lastNs = nowNs
        return max(0, -leftNs) * Limits.strangersShare
    }
}

extension EventLoop {
    /// Whom nobody knows yet has its turn after those who are known, for so long and no longer, and all of them together for
    /// a part of the loop's time: however many connect and send what they may before they are cut off, others notice
    /// little of it. Who is left out is ready still.
    func serveStrangers() {
        strangers.areReady = false
        let beganNs = monotonicNs()
        var endedNs = beganNs
        while endedNs - beganNs < Limits.strangersTurnNs, let event = strangers.next() {
            handler(of: event)?.ready(event.events)
            endTurn()
            endedNs = monotonicNs()
        }
        let isWanted = endedNs - othersReadyNs < Limits.othersAreRecentNs
        let restNs = strangers.time.spend(endedNs - beganNs, nowNs: endedNs, isWanted: isWanted)
        guard restNs > 0 else { return }
        watchStrangers(for: 0)
        schedule(after: restNs) { [unowned self] in watchStrangers(for: UInt32(CL_EPOLLIN)) }
    }

    private func watchStrangers(for events: UInt32) {
        let result = cl_epoll_control(
            epoll, Int32(CL_EPOLL_MODIFY), strangers.epoll, events, EventLoop.strangersData)
        precondition(result == 0, "a registered descriptor can be changed")
    }
}

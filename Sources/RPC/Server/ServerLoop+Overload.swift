import HTTP2

/// What a loop does when it has more to do than it can: calls wait for their tenant's turn, and those that would wait too
/// long are refused before their message is looked at.
extension ServerLoop {
    /// Calls that this loop may have under way.
    private var callsMax: Int { max(1, core.configuration.maxConcurrentCalls / core.configuration.loopCount) }

    /// The same of callers whom nobody knows; where nobody is asked for, all are.
    private var strangersMax: Int { core.interceptors.isEmpty ? callsMax : max(1, callsMax / Limits.strangersPart) }

    /// Why a further call of this tenant is not taken now; nil where it is. Of what may be under way one tenant has as much
    /// as it leaves free, and all whom nobody knows a small part.
    @inline(__always)
    func whyNotTake(_ share: CallShare, waitedNs: Int64) -> Refusal? {
        let nowNs = loop.nowNs
        if waitedNs > core.configuration.overload.waitNs { return .wait }
        if line.isFull(for: share, nowNs: nowNs) { return .line }
        if share === commonShare, share.underWay >= strangersMax { return .share }
        return share.underWay + underWay > callsMax ? .share : nil
    }

    /// The answer to a call that need not be begun to be refused; nil where it is to be begun. Its caller was let in before.
    @inline(__always)
    func answerAtOnce(to head: RequestHead, waitedNs: Int64) -> HTTP2ConstantHeaders? {
        guard !head.method.isVital, let share = head.share else { return nil }
        if share.hasSpentCancels(nowNs: loop.nowNs) {
            core.refusals.count(.cancels)
            return ServerCall.tooManyCancelsAnswer
        }
        guard let why = whyNotTake(share, waitedNs: waitedNs) else { return nil }
        noteRefusal(why)
        return core.overloadAnswers.headers(level: window.level, turn: refusalTurn)
    }

    /// The error of a call that was begun.
    func refuse(_ why: Refusal) -> RPCError {
        noteRefusal(why)
        return core.overloadAnswers.error(level: window.level, turn: refusalTurn)
    }

    private func noteRefusal(_ why: Refusal) {
        core.refusals.count(why)
        window.countRefused()
        refusalTurn &+= 1
        if !isWindowOpen { openWindow() }
    }

    @inline(__always)
    func noteTaken() {
        window.countTaken()
        if !isWindowOpen { openWindow() }
    }

    /// What follows from refusals and from what waits is done at the end of a span; while nobody calls nothing is.
    private func openWindow() {
        isWindowOpen = true
        let pauses = loop.pauses
        _ = loop.countConnections()
        loop.schedule(after: core.configuration.overload.windowNs) { [self] in
            isWindowOpen = false
            let goesOn = window.end(
                nsPerWork: line.nsPerWork, capacityWork: line.capacityWork,
                saturating: loop.pauses == pauses ? loop.countConnections() : nil)
            if goesOn { openWindow() }
            loop.streamsMax = window.streams
        }
    }

    // MARK: Turns

    /// Whether a call whose request is whole may run now; where not it waits, with its message, and is run in its turn.
    @inline(__always)
    func mayRun(_ call: ServerCall, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let work = OverloadLimits.work(byteCount: bytes.count)
        let (nowNs, wasBehind) = (loop.nowNs, loop.wasBehind)
        if line.mayRun(call.share, work: work, nowNs: nowNs, wasBusy: wasBehind) { return true }
        call.message = Array(bytes)
        line.add(WaitingCall(call: call, work: work, sinceNs: loop.nowNs - call.waitedNs), of: call.share)
        serveNextTurn()
        return false
    }

    private func serveNextTurn() {
        loop.isPressed = true
        if !isWindowOpen { openWindow() }
        guard !isServing else { return }
        isServing = true
        loop.execute { [self] in serve() }
    }

    /// Runs those whose turn it is; sockets are looked at before the next.
    private func serve() {
        isServing = false
        let waitNs = core.configuration.overload.waitNs
        while let waiting = line.next(nowNs: loop.nowNs) {
            if !waiting.call.takeTurn(hasWaitedTooLong: loop.nowNs - waiting.sinceNs > waitNs) {
                line.cameToNothing(waiting.work)
            }
        }
        window.noteWaiting(line.waitingWork)
        loop.isPressed = line.waitingWork > 0
        if loop.isPressed { serveNextTurn() }
    }

    // MARK: Streams

    /// Whether a stream may give its handler a further message. Streams are held back, never refused: who sends on one can wait.
    func mayStream(_ call: ServerCall, having count: Int) -> Bool {
        let limits = core.configuration.overload
        guard line.mayStream(call.share, nowNs: loop.nowNs) else {
            giveNextTurn(call)
            return false
        }
        // Who has so many goes on when they are answered.
        return count < limits.streamedStepsOfEach || call.share.streamedSteps + streamedSteps < limits.streamedSteps
    }

    private func giveNextTurn(_ call: ServerCall) {
        guard !call.isHeldBack else { return }
        call.isHeldBack = true
        if heldBack.isEmpty {
            loop.execute { [self] in
                // Those that are held back again wait for the turn after this one.
                let calls = heldBack
                heldBack = []
                for call in calls {
                    call.isHeldBack = false
                    call.exchange?.giveRequests()
                }
            }
        }
        heldBack.append(call)
    }

    func tookStep(of share: CallShare, byteCount: Int) {
        share.ran(OverloadLimits.work(byteCount: byteCount), inTurn: loop.nowNs)
        share.streamedSteps += 1
        streamedSteps += 1
    }

    func gaveSteps(_ count: Int, of share: CallShare) {
        share.streamedSteps -= count
        streamedSteps -= count
    }

    /// Before the loop ends: those that wait, and calls that are kept for the next ones, hold the loop, as it holds them.
    func forgetWaiting() {
        keepsExchanges = false
        sparedExchanges = []
        line.removeAll()
        heldBack = []
    }
}

extension ServerCall {
    /// Runs the handler of a call that waited for its turn, unless it has ended meanwhile.
    /// - Returns: false where there was nothing to do.
    fileprivate func takeTurn(hasWaitedTooLong: Bool) -> Bool {
        guard exchange != nil, case .direct(let handler) = head.method.handler, let bytes = message.take() else {
            return false
        }
        if hasWaitedTooLong {
            fail(home.refuse(.wait))
        } else {
            bytes.withUnsafeBytes { handler($0, self) }
        }
        return true
    }
}

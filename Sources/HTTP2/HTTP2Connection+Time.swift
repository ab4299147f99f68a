import CNghttp2

/// How far a drain has come.
enum DrainState {
    case none
    /// GOAWAY(2^31-1) and a PING are out: requests that were on their way still arrive.
    case noticed
    /// GOAWAY with the last stream's id is queued: what is open finishes, then the connection ends.
    case goawaySent
}

/// Drain, keepalive and time-outs.
extension HTTP2Connection {
    /// Takes no new streams, lets the open ones finish, then closes: GOAWAY(2^31-1), a PING's round trip, GOAWAY
    /// with the last id. Streams that are still there after `graceNs` are cut.
    package func startDrain(graceNs: Int64? = nil) {
        guard case .open = phase, drain == .none, let session else { return }
        metrics.add(.goawayDrain)
        clock.drainBegan(nowNs: loop.nowNs, graceNs: graceNs)
        if role == .server, receivedSettings {
            drain = .noticed
            nghttp2_submit_shutdown_notice(session)
        } else {
            sendLastGoaway()
        }
        handler?.connectionDraining(self)
        rearm()
        markDirty()
    }

    /// The PING is queued only now, since nghttp2 would let it overtake the notice.
    func drainNoticeSent() {
        guard drain == .noticed, let session else { return }
        submitPing(session, Self.drainPing)
    }

    func drainPingAnswered() {
        guard drain == .noticed else { return }
        clock.drainPingAnswered()
        sendLastGoaway()
    }

    private func sendLastGoaway() {
        guard let session else { return }
        drain = .goawaySent
        nghttp2_submit_goaway(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nghttp2_session_get_last_proc_stream_id(session),
            HTTP2ErrorCode.noError, nil, 0)
        markDirty()
    }

    func submitPing(_ session: OpaquePointer, _ opaque: UInt64) {
        withUnsafeBytes(of: opaque.bigEndian) {
            _ = nghttp2_submit_ping(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), $0.assumingMemoryBound(to: UInt8.self).baseAddress)
        }
        markDirty()
    }

    /// Sees that the connection's one timer fires no later than something is due. It may fire earlier, when what it
    /// was set for has moved on: that is cheaper than to move it with every byte.
    func rearm() {
        guard registration != nil, let nextNs = clock.nextNs else { return }
        if let armed {
            if armed.dueNs <= nextNs { return }
            loop.cancel(armed)
        }
        // Not weakly: a weak reference gives the connection a side table, through which every retain and release of it then
        // goes, a quarter of a call's cost. The circle ends with the socket, which cancels the timer.
        armed = loop.schedule(after: nextNs - loop.nowNs) { [self] in timePassed() }
    }

    private func timePassed() {
        armed = nil
        // The block may have been given up by nghttp2 since the last read.
        if incomingStream == nil { clock.headerBlockDueNs = nil }
        act(on: clock.due(nowNs: loop.nowNs))
        rearm()
    }

    private func act(on action: ConnectionClock.Action) {
        switch action {
        case .nothing:
            break
        case .sendPing:
            if let session { submitPing(session, Self.keepalivePing) }
        case .drainIdle:
            metrics.add(.idleDrains)
            startDrain(graceNs: configuration.keepalive.ageGraceNs)
        case .drainAge:
            metrics.add(.ageDrains)
            startDrain(graceNs: configuration.keepalive.ageGraceNs)
        case .endDrainPing:
            drainPingAnswered()
        case .closeHandshakeTimeout: closeTimedOut(.handshakeTimeout)
        case .closeHeaderBlockTimeout: closeTimedOut(.headerBlockTimeout)
        case .closePingTimeout:
            metrics.add(.pingTimeouts)
            close(error: .connectionLost)
        case .closeWriteStall: closeTimedOut(.unreadOutput)
        case .closeGraceOver, .closeLinger:
            close()
        }
    }
}

import CNghttp2

/// What a listener looks at now and then on all of its connections: no call pays for a timer of its own.
extension HTTP2Connection {
    /// Ends what takes too long: requests whose end does not come, and answers that are not read. Not within a callback of
    /// nghttp2.
    func sweep() {
        guard case .open = phase, !liveStreams.isEmpty else { return }
        let nowNs = loop.nowNs
        for stream in liveStreams {
            if !stream.remoteEnded, nowNs - configuration.requestTimeoutNs > stream.openedNs {
                stream.openedNs = .max
                if stream.delegate?.requestOverdue(stream) ?? false { metrics.add(.requestTimeouts) }
            }
            if isUnread(stream, nowNs: nowNs) {
                metrics.add(.slowReaders)
                stream.reset(errorCode: HTTP2ErrorCode.enhanceYourCalm)
            }
        }
    }

    /// Whether a stream has output for a peer that gives it no window, or a trickle of it, for too long.
    private func isUnread(_ stream: HTTP2Stream, nowNs: Int64) -> Bool {
        guard stream.bufferedBytes > 0 else {
            stream.readMarkNs = nil
            return false
        }
        let taken = stream.takenBytes &- stream.readMarkBytes
        guard let sinceNs = stream.readMarkNs, taken < Limits.readBytesMin else {
            stream.readMarkNs = nowNs
            stream.readMarkBytes = stream.takenBytes
            return false
        }
        return nowNs - sinceNs > configuration.writeStallTimeoutNs
    }

    /// Since when the connection has no stream; nil where it has one, or ends already.
    var idleSinceNs: Int64? {
        guard case .open = phase, closeReason == nil, liveStreams.isEmpty else { return nil }
        return clock.idleSinceNs
    }

    /// Makes room for another connection, at once. Not within a callback of nghttp2.
    func evict() {
        guard let session else { return }
        metrics.add(.evictions)
        nghttp2_submit_goaway(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nghttp2_session_get_last_proc_stream_id(session),
            HTTP2ErrorCode.noError, nil, 0)
        flush()
        destroy(.closedLocally, lingers: false)
    }
}

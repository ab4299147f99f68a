import CNghttp2

/// How many streams a client may have open while its server's loop has more to do than it can: what a client keeps to itself
/// costs nothing here.
extension HTTP2Connection {
    /// Tells the client of the loop's bound, if it is a new one that concerns it. Once for each read.
    @inline(__always)
    func followStreamLimit() {
        guard role == .server else { return }
        let (sum, overflow) = loop.streamsMax.addingReportingOverflow(longStreams)
        let wanted = min(configuration.concurrentStreamsMax, overflow ? .max : sum)
        if wanted != announcedStreams { announce(wanted) }
    }

    private func announce(_ wanted: UInt32) {
        guard let session, case .open = phase, drain == .none, receivedSettings else { return }
        if wanted < announcedStreams {
            // It is not this client that there is too much of.
            guard liveStreams.count > wanted / 2 else { return }
            excessStreams = Int(configuration.concurrentStreamsMax)
        } else {
            // Not for every little step.
            guard wanted == configuration.concurrentStreamsMax || wanted - announcedStreams >= announcedStreams / 4
            else { return }
        }
        var entry = nghttp2_settings_entry(
            settings_id: Int32(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS.rawValue), value: wanted)
        let result = nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), &entry, 1)
        // The client has not acknowledged those before: the next read tries again.
        guard result == 0 else { return }
        announcedStreams = wanted
        metrics.add(.streamLimits)
        markDirty()
    }

    /// Whether a stream that nghttp2 refused may have been opened by a client that had not heard of a lower bound yet: no
    /// fault of its, up to as many as were allowed before.
    func mayBeExcess() -> Bool {
        guard excessStreams > 0 else { return false }
        excessStreams -= 1
        return true
    }
}

extension HTTP2Stream {
    /// Says that the stream goes on for as long as the client likes: it takes no place among those that come and go.
    package func goesOnForLong() {
        guard !isClosed, !isLong else { return }
        isLong = true
        connection.longStreams += 1
    }
}

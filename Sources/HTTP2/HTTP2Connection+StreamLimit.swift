import CNghttp2

/// How many streams a client may have open while its server's loop has more to do than it can: what a client keeps to itself
/// costs nothing here.
///
/// A lower bound holds from the client's acknowledgement on (RFC 9113, sections 5.1.2 and 6.5.3): what it opened before it
/// heard of the bound is served. nghttp2 would refuse that already from when the SETTINGS are submitted, and a call that is
/// refused twice fails, as clients try again only once by themselves (gRFC A6). So nghttp2 is given the configured bound,
/// which it knows, to send and to have acknowledged; the lower one is written into the frame on its way out, and kept here.
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
        // Before it has acknowledged those before: the next read tries again.
        guard let session, case .open = phase, drain == .none, !awaitsSettingsAck else { return }
        if wanted < announcedStreams {
            // It is not this client that there is too much of.
            guard liveStreams.count > wanted / 2 else { return }
        } else {
            // Not for every little step.
            guard wanted == configuration.concurrentStreamsMax || wanted - announcedStreams >= announcedStreams / 4
            else { return }
        }
        var entry = SessionFactory.entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, configuration.concurrentStreamsMax)
        guard nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), &entry, 1) == 0 else { return }
        announcedStreams = wanted
        awaitsSettingsAck = true
        hasUnsentStreamLimit = true
        metrics.add(.streamLimits)
        markDirty()
    }

    /// Writes the bound into its frame, if that is the one that goes out.
    func writeStreamLimit(into frame: UnsafeMutableRawBufferPointer) {
        let headerBytes = 9
        let idBytes = 2
        guard frame.count == headerBytes + idBytes + 4, frame[3] == UInt8(NGHTTP2_SETTINGS.rawValue) else { return }
        frame.storeBytes(of: announcedStreams.bigEndian, toByteOffset: headerBytes + idBytes, as: UInt32.self)
        hasUnsentStreamLimit = false
    }

    func settingsAcknowledged() {
        awaitsSettingsAck = false
        acknowledgedStreams = announcedStreams
    }

    /// How many streams the client may have open as far as it knows.
    var streamsAllowed: Int { Int(max(announcedStreams, acknowledgedStreams)) }
}

extension HTTP2Stream {
    /// Says that the stream goes on for as long as the client likes: it takes no place among those that come and go.
    package func goesOnForLong() {
        guard !isClosed, !isLong else { return }
        isLong = true
        connection.longStreams += 1
    }
}

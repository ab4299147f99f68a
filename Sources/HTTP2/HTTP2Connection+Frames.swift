import CNghttp2

/// What nghttp2 reports, within `nghttp2_session_mem_recv` and `nghttp2_session_mem_send`.
extension HTTP2Connection {
    private func stream(_ id: Int32) -> HTTP2Stream? { place(of: id)?.takeUnretainedValue() }

    /// The same, not retained: for what does not end the stream.
    private func place(of id: Int32) -> Unmanaged<HTTP2Stream>? {
        guard let session, let pointer = nghttp2_session_get_stream_user_data(session, id) else { return nil }
        return Unmanaged<HTTP2Stream>.fromOpaque(pointer)
    }

    // MARK: Headers

    func headersBegan(_ frame: UnsafePointer<nghttp2_frame>) {
        let id = frame.pointee.hd.stream_id
        incomingIsTooLarge = false
        incomingListBytes = 0
        begunBlocks += 1
        // What else is in this read comes too late.
        guard case .open = phase else { return }
        // A block that nghttp2 found wrong half-way never ended.
        if incoming.count > 0 { incoming.removeAll() }
        if role == .server, frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST {
            let stream = HTTP2Stream.make(connection: self, id: id)
            nghttp2_session_set_stream_user_data(session, id, Unmanaged.passUnretained(stream).toOpaque())
            insert(stream)
            stream.openedNs = loop.nowNs
            _ = controlFrames.take(-Limits.tokensPerStream, nowNs: loop.nowNs)
            guard liveStreams.count <= min(loop.holdings.streamShare, streamsAllowed) else {
                metrics.add(.streamsRefused)
                return stream.reset(errorCode: HTTP2ErrorCode.refusedStream)
            }
            stream.delegate = handler?.streamOpened(stream)
            incomingStream = Unmanaged.passUnretained(stream)
        } else {
            incomingStream = place(of: id)
        }
    }

    /// False where nothing more of the block shall be told.
    func headerReceived(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool {
        guard incomingStream != nil else { return true }
        incomingListBytes += name.count + value.count + 32
        guard incomingListBytes > configuration.headerListBytesMax else {
            incoming.append(name, value)
            return true
        }
        incomingIsTooLarge = true
        guard incomingListBytes > configuration.headerListBytesMax * Limits.headerBombFactor else { return true }
        incomingStream = nil
        cutOff(.headerBomb)
        return false
    }

    private func headersEnded(_ flags: UInt8) {
        guard let stream = incomingStream else { return }
        incomingStream = nil
        stream._withUnsafeGuaranteedRef { headersEnded(of: $0, flags) }
        incoming.removeAll()
    }

    private func headersEnded(of stream: HTTP2Stream, _ flags: UInt8) {
        let endStream = flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
        if endStream { stream.remoteEnded = true }
        if incomingIsTooLarge {
            metrics.add(.headersTooLarge)
            if stream.receivedHeaders {
                stream.reset(errorCode: HTTP2ErrorCode.enhanceYourCalm)
            } else {
                stream.receivedHeaders = true
                stream.delegate?.headersTooLarge(stream, endStream: endStream)
            }
        } else if stream.receivedHeaders {
            stream.delegate?.trailersReceived(stream, headers: HTTP2Headers(incoming.block))
        } else if role == .client, HTTP2Headers(incoming.block).isInformational {
            return
        } else {
            stream.receivedHeaders = true
            stream.delegate?.headerBlockReceived(stream, block: incoming.block, endStream: endStream)
        }
    }

    // MARK: Other frames received

    func frameReceived(_ frame: UnsafePointer<nghttp2_frame>) {
        let header = frame.pointee.hd
        switch nghttp2_frame_type(UInt32(header.type)) {
        case NGHTTP2_HEADERS: headersEnded(header.flags)
        case NGHTTP2_DATA: dataEnded(header)
        case NGHTTP2_RST_STREAM: peerReset(header.stream_id)
        case NGHTTP2_PING: pingReceived(frame)
        case NGHTTP2_SETTINGS: settingsReceived(header.flags)
        case NGHTTP2_GOAWAY: goawayReceived(errorCode: frame.pointee.goaway.error_code)
        default: break
        }
    }

    /// A reset of a stream that has ended was charged as a control frame.
    private func peerReset(_ id: Int32) {
        metrics.add(.resetsReceived)
        guard role == .server, let stream = stream(id), !(stream.delegate?.peerReset(stream) ?? false) else { return }
        if !peerResets.take(nowNs: loop.nowNs) { return cutOff(.peerResets) }
        if peerResets.isWornDown { distrust() }
    }

    func dataReceived(_ id: Int32, _ bytes: UnsafeRawBufferPointer) {
        deliverHeldData()
        guard let place = place(of: id) else { return }
        let isFollowed = place._withUnsafeGuaranteedRef { stream in
            guard stream.delegate != nil else { return false }
            stream.unconsumedBytes += bytes.count
            return true
        }
        guard isFollowed else { return }
        heldStream = place
        heldBytes = bytes
    }

    /// Hands over the piece of DATA that was kept back; the stream goes on.
    func deliverHeldData() {
        guard let stream = heldStream else { return }
        heldStream = nil
        stream._withUnsafeGuaranteedRef { $0.delegate?.dataReceived($0, bytes: heldBytes, endStream: false) }
    }

    private func dataEnded(_ header: nghttp2_frame_hd) {
        guard header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0 else {
            return deliverHeldData()
        }
        guard let place = heldStream ?? place(of: header.stream_id) else { return }
        let bytes = heldStream == nil ? UnsafeRawBufferPointer(start: nil, count: 0) : heldBytes
        heldStream = nil
        place._withUnsafeGuaranteedRef { stream in
            stream.remoteEnded = true
            stream.delegate?.dataReceived(stream, bytes: bytes, endStream: true)
        }
    }

    private func settingsReceived(_ flags: UInt8) {
        guard flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0 else { return settingsAcknowledged() }
        if !receivedSettings {
            receivedSettings = true
            clock.handshakeDueNs = nil
        }
        handler?.settingsReceived(self)
    }

    private func pingReceived(_ frame: UnsafePointer<nghttp2_frame>) {
        guard frame.pointee.hd.flags & UInt8(NGHTTP2_FLAG_ACK.rawValue) == 0 else {
            let opaque = withUnsafeBytes(of: frame.pointee.ping.opaque_data) { $0.loadUnaligned(as: UInt64.self) }
            if UInt64(bigEndian: opaque) == Self.drainPing {
                drainPingAnswered()
            } else {
                clock.pingAnswered()
                // The next ping may be due long before this one's time-out was.
                rearm()
            }
            return
        }
        guard role == .server else { return }
        if !strikes.pingReceived(nowNs: loop.nowNs, hasStreams: !liveStreams.isEmpty) { cutOff(.pings) }
    }

    private func goawayReceived(errorCode: UInt32) {
        peerGoawayCode = errorCode
        guard !peerSaidGoaway else { return }
        peerSaidGoaway = true
        handler?.connectionDraining(self)
        markDirty()
    }

    /// HEADERS or DATA went out: what came in before was not for nothing, and the peer may want to credit it.
    private func callFrameSent(byteCount: Int) {
        strikes.callFrameSent()
        hasServed = true
        let tokens = Limits.tokensPerSentFrame + byteCount / Limits.sentBytesPerToken
        _ = controlFrames.take(-tokens, nowNs: loop.nowNs)
    }

    // MARK: Streams' ends

    func streamEnded(_ id: Int32, errorCode: UInt32) {
        guard var stream = stream(id) else { return }
        if errorCode == HTTP2ErrorCode.refusedStream { stream.wasRefused = true }
        if stream.unconsumedBytes > 0 {
            creditedBytes += stream.unconsumedBytes
            stream.unconsumedBytes = 0
            markDirty()
        }
        let pointer = Unmanaged.passUnretained(stream).toOpaque()
        if incomingStream?.toOpaque() == pointer { incomingStream = nil }
        if heldStream?.toOpaque() == pointer { heldStream = nil }
        remove(stream)
        stream.close(errorCode: errorCode)
        if isKnownUniquelyReferenced(&stream) { stream.spare(in: loop) }
        handler?.streamSlotFreed(self)
        if liveStreams.isEmpty { markDirty() }
    }

    // MARK: Frames sent

    func frameSent(_ frame: UnsafePointer<nghttp2_frame>) {
        switch nghttp2_frame_type(UInt32(frame.pointee.hd.type)) {
        case NGHTTP2_HEADERS:
            if role == .client { stream(frame.pointee.hd.stream_id)?.wasSent = true }
            callFrameSent(byteCount: 0)
        case NGHTTP2_DATA:
            callFrameSent(byteCount: frame.pointee.hd.length)
        case NGHTTP2_RST_STREAM:
            metrics.add(.resetsSent)
            // What follows an early status is bounded by its delay; the rest is what a peer may provoke.
            let code = frame.pointee.rst_stream.error_code
            guard role == .server, code != HTTP2ErrorCode.noError else { return }
            if !ownResets.take(nowNs: loop.nowNs) { cutOff(.ownResets) }
        case NGHTTP2_GOAWAY:
            drainNoticeSent()
            if frame.pointee.goaway.error_code != HTTP2ErrorCode.noError, case .open = phase {
                let goaway = frame.pointee.goaway
                let text = UnsafeBufferPointer(start: goaway.opaque_data, count: goaway.opaque_data_len)
                metrics.tell(
                    HTTP2CutOff(
                        reason: .protocolError, detail: String(decoding: text, as: UTF8.self), peer: peerAddress))
            }
        default: break
        }
    }

    /// A header block that nghttp2 cannot send leaves its stream without an end: it is reset. A request that was
    /// never sent is closed by nghttp2.
    func frameNotSent(_ frame: UnsafePointer<nghttp2_frame>, error: Int32) {
        let header = frame.pointee.hd
        guard role == .server, header.type == UInt8(NGHTTP2_HEADERS.rawValue) else { return }
        guard error != NGHTTP2_ERR_STREAM_CLOSED.rawValue, error != NGHTTP2_ERR_STREAM_CLOSING.rawValue else { return }
        stream(header.stream_id)?.reset(errorCode: HTTP2ErrorCode.internalError)
    }

    /// Gives nghttp2 what a DATA frame is to hold.
    func readOutput(
        of stream: HTTP2Stream, into buffer: UnsafeMutableRawBufferPointer, flags: UnsafeMutablePointer<UInt32>
    ) -> Int {
        let count = stream.output.read(into: buffer)
        outputShrank(count)
        stream.takenBytes &+= count
        if stream.output.byteCount > 0 { return count }
        switch stream.ending {
        case .endStream:
            flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
        case .constantTrailers(let trailers):
            flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue | NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
            submitTrailers(UnsafeBufferPointer(trailers.fields), of: stream)
        case .trailers(let trailers):
            flags.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue | NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
            trailers.withFields { submitTrailers($0, of: stream) }
        case .open:
            if count > 0 { break }
            stream.isDeferred = true
            return Int(NGHTTP2_ERR_DEFERRED.rawValue)
        }
        tellWritable(stream)
        return count
    }

    private func submitTrailers(_ fields: UnsafeBufferPointer<nghttp2_nv>, of stream: HTTP2Stream) {
        let result = nghttp2_submit_trailer(session, stream.id, fields.baseAddress, fields.count)
        precondition(result == 0, "nghttp2 takes trailers for an open stream")
    }

    private func tellWritable(_ stream: HTTP2Stream) {
        guard stream.owesWritable, stream.output.byteCount <= configuration.streamBufferLowBytes else { return }
        stream.owesWritable = false
        if !stream.isEnding { stream.delegate?.streamWritable(stream) }
    }
}

extension HTTP2Headers {
    /// Whether this is a 1xx response, which another one follows.
    fileprivate var isInformational: Bool { withValue(of: ":status") { $0.first == UInt8(ascii: "1") } ?? false }
}

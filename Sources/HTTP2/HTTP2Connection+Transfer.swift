import CLinux
import CNghttp2

/// Reading and writing, and the end.
extension HTTP2Connection: ReadinessHandler, TurnEndHandler {
    static let readable = UInt32(CL_EPOLLIN) | UInt32(CL_EPOLLRDHUP)

    func ready(_ events: UInt32) {
        if events & UInt32(CL_EPOLLOUT) != 0 { markDirty() }
        guard events & ~UInt32(CL_EPOLLOUT) != 0 else { return }
        switch phase {
        case .open: readAvailable()
        case .finishing: discardInput(failing: .closedLocally)
        case .lingering: discardInput(failing: .closedLocally)
        case .closed: break
        }
    }

    var isStranger: Bool { !isKnown && configuration.knowsCallers }

    /// A caller who is known made a call on it. Said by whoever knows callers, for `HTTP2Configuration.knowsCallers`.
    package func becomeKnown() {
        guard !isKnown, loop.nowNs >= distrustedUntilNs else { return }
        isKnown = true
        if let registration { loop.move(registration, transport.descriptor, events: watchedEvents) }
    }

    /// Its peer pays for resets that no caller answers for: for some time it is nobody's who is known.
    func distrust() {
        guard isKnown, configuration.knowsCallers else { return }
        isKnown = false
        distrustedUntilNs = loop.nowNs + Limits.distrustNs
        if let registration { loop.move(registration, transport.descriptor, events: watchedEvents) }
    }

    private var watchedEvents: UInt32 { awaitsWritable ? Self.readable | UInt32(CL_EPOLLOUT) : Self.readable }

    func loopStopped() {
        if case .lingering = phase { closeSocket() } else { destroy(.closedLocally, lingers: false) }
    }

    // MARK: Reading

    private func readAvailable() {
        let isBrief = loop.isPressed || isStranger
        let reads = isBrief ? 1 : Limits.readsPerTurnMax
        let most = isStranger ? Limits.strangerReadBytes : isBrief ? Limits.pressedReadBytes : loop.readBuffer.count
        for _ in 0..<reads {
            guard case .open = phase, closeReason == nil else { return }
            let room = inputAge.room(atMost: most)
            switch transport.read(into: UnsafeMutableRawBufferPointer(rebasing: loop.readBuffer[..<room])) {
            case .bytes(let count):
                clock.bytesRead(nowNs: loop.nowNs)
                let mayBeMore = inputAge.read(count, room: room, nowNs: loop.nowNs) { transport.arrivedByteCount }
                feed(UnsafeRawBufferPointer(rebasing: loop.readBuffer[..<count]))
                // If more has come meanwhile, epoll says so again.
                if !mayBeMore { return }
                loop.isBehind = true
            case .wouldBlock:
                return
            case .ended, .failed:
                close(error: isDone ? .closedLocally : .connectionLost)
                return
            }
        }
    }

    private func feed(_ bytes: UnsafeRawBufferPointer) {
        guard let session else { return }
        markDirty()
        guard controlFrames.take(meter.cost(of: bytes), nowNs: loop.nowNs) else { return cutOff(.controlFrames) }
        var result = 0
        var rest = bytes
        while result >= 0, !rest.isEmpty, case .open = phase {
            let slice = UnsafeRawBufferPointer(rebasing: rest.prefix(Limits.feedBytes))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(slice.count))
            result = nghttp2_session_mem_recv(
                session, slice.baseAddress?.assumingMemoryBound(to: UInt8.self), slice.count)
        }
        deliverHeldData()
        followStreamLimit()
        if result < 0 { return refuse(result) }
        chargeIgnoredHeaders()
        if role == .server, nghttp2_session_get_outbound_queue_size(session) > queuedFramesMax {
            cutOff(.queuedFrames)
        }
        // A header block that is not whole yet may be one that never will be.
        let isOpen = incomingStream != nil
        if isOpen != (clock.headerBlockDueNs != nil) {
            clock.headerBlock(isOpen: isOpen, nowNs: loop.nowNs)
            rearm()
        }
    }

    /// nghttp2 reads no further.
    private func refuse(_ result: Int) {
        switch nghttp2_error(Int32(result)) {
        case NGHTTP2_ERR_FLOODED: cutOff(.controlFrames)
        case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS: cutOff(.continuations)
        default:
            let reason = String(cString: nghttp2_strerror(Int32(result)))
            metrics.tell(HTTP2CutOff(reason: .protocolError, detail: reason, peer: peerAddress))
            close(error: .protocolViolation(reason: reason))
        }
    }

    /// HEADERS of streams that are gone are decoded and told to nobody. The last one may only have begun.
    private func chargeIgnoredHeaders() {
        let ignored = meter.headersFrames - begunBlocks - 1 - chargedBlocks
        guard ignored > 0 else { return }
        chargedBlocks += ignored
        if !controlFrames.take(ignored, nowNs: loop.nowNs) { cutOff(.controlFrames) }
    }

    /// An honest peer causes no more than a few frames for each of its streams in a turn.
    private var queuedFramesMax: Int {
        min(
            Limits.queuedFramesMax + 4 * Int(configuration.concurrentStreamsMax),
            queuedFrames + loop.holdings.queuedFrameShare)
    }

    private func discardInput(failing error: HTTP2Error) {
        for _ in 0..<Limits.readsPerTurnMax {
            switch transport.read(into: loop.readBuffer) {
            case .bytes: continue
            case .wouldBlock: return
            case .ended, .failed:
                close(error: error)
                return
            }
        }
    }

    // MARK: Writing

    func turnEnded() {
        tellOnceATurn()
        if closeReason == nil { flush() }
        noteUnsent()
        isDirty = false
        if let closeReason {
            if case .lingering = phase { closeSocket() } else { destroy(closeReason, lingers: false) }
        } else if pendingOutput.isEmpty {
            endIfDone()
        }
    }

    /// What would cost each stream a call of nghttp2, or an atomic operation, is gathered and done here.
    private func tellOnceATurn() {
        if uncountedStreams > 0 {
            metrics.add(.streams, uncountedStreams)
            loop.count(&countedIn)
            uncountedStreams = 0
        }
        if creditedBytes > 0, let session {
            nghttp2_session_consume_connection(session, creditedBytes)
            creditedBytes = 0
        }
    }

    /// What a turn leaves unsent stands in the loop's holdings. A socket that is full keeps what was written for it: where too
    /// many are, who joins them is let go.
    private func noteUnsent() {
        guard awaitsWritable || queuedFrames > 0 || pendingBytes > 0 else { return }
        let count = session.map { Int(nghttp2_session_get_outbound_queue_size($0)) } ?? 0
        loop.holdings.queuedFrames += count - queuedFrames
        queuedFrames = count
        let bytes = pendingOutput.count
        let isMore = bytes > pendingBytes
        loop.holdings.outputBytes += bytes - pendingBytes
        pendingBytes = bytes
        if role == .server, isMore, bytes > loop.holdings.outputShare { closeTimedOut(.unreadOutput) }
    }

    func flush() {
        for _ in 0..<Limits.writesPerTurnMax {
            if !pendingOutput.isEmpty {
                guard writePending() else { return }
                continue
            }
            guard let session else { return }
            let (filled, carried) = gather(session)
            guard filled > 0 || !carried.isEmpty, closeReason == nil else {
                clock.written(0, all: true)
                setAwaitsWritable(false)
                return
            }
            guard write(UnsafeRawBufferPointer(rebasing: loop.writeBuffer[..<filled]), then: carried) else { return }
        }
        // More is there than one turn may write: the next goes on if the socket is still ready then.
        awaitWritable()
    }

    /// Fills the loop's write buffer with frames. A piece that does not fit is carried over.
    private func gather(_ session: OpaquePointer) -> (filled: Int, carried: [UInt8]) {
        let buffer = loop.writeBuffer
        var filled = 0
        while buffer.count - filled >= Limits.frameBytesMax {
            var chunk: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(session, &chunk)
            if count < 0 { close(error: .protocolViolation(reason: String(cString: nghttp2_strerror(Int32(count))))) }
            guard count > 0, let chunk else { break }
            guard count <= buffer.count - filled else {
                return (filled, Array(UnsafeBufferPointer(start: chunk, count: count)))
            }
            let frame = UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<filled + count])
            frame.copyMemory(from: UnsafeRawBufferPointer(start: chunk, count: count))
            if hasUnsentStreamLimit { writeStreamLimit(into: frame) }
            filled += count
        }
        return (filled, [])
    }

    /// Writes the buffer; false where something is left, which waits for the socket together with `carried`.
    private func write(_ buffer: UnsafeRawBufferPointer, then carried: [UInt8]) -> Bool {
        var written = 0
        while written < buffer.count {
            switch transport.write(UnsafeRawBufferPointer(rebasing: buffer[written...])) {
            case .bytes(let count):
                written += count
                writeProgressed(count)
            case .wouldBlock, .ended:
                pendingOutput = Array(buffer[written...]) + carried
                pendingOffset = 0
                awaitWritable()
                return false
            case .failed:
                close(error: .connectionLost)
                return false
            }
        }
        pendingOutput = carried
        pendingOffset = 0
        return true
    }

    private func writePending() -> Bool {
        while pendingOffset < pendingOutput.count {
            let result = pendingOutput.withUnsafeBytes {
                transport.write(UnsafeRawBufferPointer(rebasing: $0[pendingOffset...]))
            }
            switch result {
            case .bytes(let count):
                pendingOffset += count
                writeProgressed(count)
            case .wouldBlock, .ended:
                awaitWritable()
                return false
            case .failed:
                close(error: .connectionLost)
                return false
            }
        }
        pendingOutput = []
        pendingOffset = 0
        return true
    }

    /// From here on the socket has its time to take something.
    private func awaitWritable() {
        clock.writeStalled(nowNs: loop.nowNs)
        setAwaitsWritable(true)
        rearm()
    }

    private func writeProgressed(_ byteCount: Int) {
        if awaitsWritable { clock.written(byteCount, all: false) }
    }

    private func setAwaitsWritable(_ awaits: Bool) {
        guard awaits != awaitsWritable, let registration else { return }
        awaitsWritable = awaits
        loop.modify(registration, transport.descriptor, events: watchedEvents)
    }

    // MARK: The end

    /// Says GOAWAY with the reason, which goes out where the peer reads it within a moment, and closes.
    func cutOff(_ reason: HTTP2CutOff.Reason) {
        guard case .open = phase, let session else { return }
        if reason != .pings { metrics.add(.goawayFlood) }
        metrics.tell(HTTP2CutOff(reason: reason, detail: "", peer: peerAddress))
        phase = .finishing(.protocolViolation(reason: reason.rawValue))
        var debug = reason.rawValue
        debug.withUTF8 {
            _ = nghttp2_submit_goaway(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nghttp2_session_get_last_proc_stream_id(session),
                HTTP2ErrorCode.enhanceYourCalm, $0.baseAddress, $0.count)
        }
        clock.cutOff(nowNs: loop.nowNs)
        rearm()
        markDirty()
    }

    /// Closes without a word to a peer that would not read it.
    func closeTimedOut(_ reason: HTTP2CutOff.Reason) {
        metrics.tell(HTTP2CutOff(reason: reason, detail: "", peer: peerAddress))
        close(error: .protocolViolation(reason: reason.rawValue))
    }

    /// Whether nothing is left to be done on this connection.
    private var isDone: Bool { (drain == .goawaySent || peerSaidGoaway) && liveStreams.isEmpty }

    private func endIfDone() {
        guard let session else { return }
        switch phase {
        case .finishing(let error):
            if !awaitsWritable { destroy(error, lingers: true) }
        case .open:
            if isDone {
                if !awaitsWritable { destroy(.closedLocally, lingers: true) }
            } else if nghttp2_session_want_read(session) == 0, nghttp2_session_want_write(session) == 0 {
                // nghttp2 said GOAWAY by itself, for something that it found wrong.
                destroy(.protocolViolation(reason: "the peer broke the protocol"), lingers: true)
            }
        case .lingering, .closed:
            break
        }
    }

    /// Takes the session down: its streams hear of it, then the handler. The socket may linger.
    func destroy(_ error: HTTP2Error, lingers: Bool) {
        guard let session else { return }
        phase = lingers ? .lingering : .closed
        self.session = nil
        incomingStream = nil
        heldStream = nil
        let streams = liveStreams
        liveStreams = []
        loop.holdings.streams -= streams.count
        loop.holdings.queuedFrames -= queuedFrames
        loop.holdings.outputBytes -= pendingBytes
        queuedFrames = 0
        pendingBytes = 0
        for stream in streams {
            stream.liveIndex = -1
            stream.connectionError = error
            stream.close(errorCode: HTTP2ErrorCode.cancel)
        }
        nghttp2_session_del(session)
        let last = handler
        handler = nil
        last?.connectionClosed(self, error: error)
        if lingers {
            transport.endWriting()
            clock.lingerBegan(nowNs: loop.nowNs)
            setAwaitsWritable(false)
            rearm()
        } else {
            closeSocket()
        }
    }

    func closeSocket() {
        guard let registration else { return }
        self.registration = nil
        phase = .closed
        if let armed { loop.cancel(armed) }
        armed = nil
        loop.unregister(registration, transport.descriptor)
        transport.close()
        pendingOutput = []
        loop.holdings.outputBytes -= pendingBytes
        pendingBytes = 0
        userData = nil
        metrics.add(.closed)
        let told = onClosed
        onClosed = nil
        told?(self)
    }
}

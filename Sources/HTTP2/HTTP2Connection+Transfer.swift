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

    func loopStopped() {
        if case .lingering = phase { closeSocket() } else { destroy(.closedLocally, lingers: false) }
    }

    // MARK: Reading

    private func readAvailable() {
        let reads = loop.isPressed ? 1 : Limits.readsPerTurnMax
        let most = loop.isPressed ? Limits.pressedReadBytes : loop.readBuffer.count
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
        let result = nghttp2_session_mem_recv(
            session, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
        deliverHeldData()
        markDirty()
        followStreamLimit()
        if result < 0 {
            if result == Int(NGHTTP2_ERR_FLOODED.rawValue) {
                endFlood("flood")
            } else {
                metrics.add(.goawayProtocol)
                close(error: .protocolViolation(reason: String(cString: nghttp2_strerror(Int32(result)))))
            }
            return
        }
        if role == .server, nghttp2_session_get_outbound_queue_size(session) > queuedFramesMax {
            endFlood("too many frames queued")
        }
        // A header block that is not whole yet may be one that never will be.
        let isOpen = incomingStream != nil
        if isOpen != (clock.headerBlockDueNs != nil) {
            clock.headerBlock(isOpen: isOpen, nowNs: loop.nowNs)
            rearm()
        }
    }

    /// An honest peer causes no more than a few frames for each of its streams in a turn.
    private var queuedFramesMax: Int { Limits.queuedFramesMax + 4 * Int(configuration.concurrentStreamsMax) }

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
            uncountedStreams = 0
        }
        if creditedBytes > 0, let session {
            nghttp2_session_consume_connection(session, creditedBytes)
            creditedBytes = 0
        }
    }

    private func flush() {
        for _ in 0..<Limits.writesPerTurnMax {
            if !pendingOutput.isEmpty {
                guard writePending() else { return }
                continue
            }
            guard let session else { return }
            let (filled, carried) = gather(session)
            guard filled > 0 || !carried.isEmpty, closeReason == nil else {
                writeProgressed()
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
            buffer.baseAddress!.advanced(by: filled).copyMemory(from: chunk, byteCount: count)
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
                writeProgressed()
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
                writeProgressed()
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
        clock.writeStalled(true, nowNs: loop.nowNs)
        setAwaitsWritable(true)
        rearm()
    }

    private func writeProgressed() {
        if awaitsWritable { clock.writeStalled(false, nowNs: loop.nowNs) }
    }

    private func setAwaitsWritable(_ awaits: Bool) {
        guard awaits != awaitsWritable, let registration else { return }
        awaitsWritable = awaits
        let events = awaits ? Self.readable | UInt32(CL_EPOLLOUT) : Self.readable
        loop.modify(registration, transport.descriptor, events: events)
    }

    // MARK: The end

    /// Says GOAWAY with an error, lets what is queued go out and closes.
    func finish(errorCode: UInt32, debug: StaticString, reason: String) {
        guard case .open = phase, let session else { return }
        phase = .finishing(.protocolViolation(reason: reason))
        nghttp2_submit_goaway(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), nghttp2_session_get_last_proc_stream_id(session), errorCode,
            debug.utf8Start, debug.utf8CodeUnitCount)
        markDirty()
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
        userData = nil
        metrics.add(.closed)
        let told = onClosed
        onClosed = nil
        told?(self)
    }
}

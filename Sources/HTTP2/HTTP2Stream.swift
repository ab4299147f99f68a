import CNghttp2

/// One stream of a connection: one call. Confined to its connection's loop; `Sendable` so that work for the loop
/// may name it.
///
/// After the stream's end, or the connection's, every method does nothing.
///
/// What a call touches is `@exclusivity(unchecked)`: each check at run time that no access is within another costs more
/// than the access, and together they took a sixth of a call. One thread has the stream, and no access to one of these
/// properties calls out while it lasts.
package final class HTTP2Stream: @unchecked Sendable {
    /// What is sent behind the data.
    enum Ending {
        case open, endStream
        case constantTrailers(HTTP2ConstantHeaders)
        case trailers(HTTP2Headers)
    }

    /// There for as long as anyone but the loop's list of spared streams holds the stream.
    package var connection: HTTP2Connection! { owner }
    @exclusivity(unchecked) private var owner: HTTP2Connection?
    @exclusivity(unchecked) package internal(set) var id: Int32
    /// Who follows the stream.
    @exclusivity(unchecked) package internal(set) var delegate: (any HTTP2StreamDelegate)?
    /// Whether the stream is gone.
    @exclusivity(unchecked) package internal(set) var isClosed = false
    /// Whether the peer has ended its side.
    @exclusivity(unchecked) package internal(set) var remoteEnded = false
    /// Why the connection took the stream down with it; nil where the stream ended by itself.
    @exclusivity(unchecked) package internal(set) var connectionError: HTTP2Error?

    /// Where the stream stands in its connection's list.
    @exclusivity(unchecked) var liveIndex = -1
    @exclusivity(unchecked) var output = OutputQueue()
    @exclusivity(unchecked) var ending = Ending.open
    /// Whether a header block was handed to nghttp2; the first is the response, or the request.
    @exclusivity(unchecked) var sentHeaders = false
    /// Whether the end of our side was asked for, or a reset.
    @exclusivity(unchecked) var isEnding = false
    /// Whether nghttp2 waits for `nghttp2_session_resume_data`.
    @exclusivity(unchecked) var isDeferred = false
    /// Whether `isWritable` was seen to be false since the last `streamWritable`.
    @exclusivity(unchecked) var owesWritable = false
    /// Whether the first final header block has come.
    @exclusivity(unchecked) var receivedHeaders = false
    /// Received and not yet credited to the connection's window.
    @exclusivity(unchecked) var unconsumedBytes = 0
    /// Whether it goes on for as long as the peer likes, and is counted so.
    @exclusivity(unchecked) var isLong = false
    /// Clients: whether the request's HEADERS went out.
    @exclusivity(unchecked) var wasSent = false
    /// Clients: whether the peer refused it, by REFUSED_STREAM or a GOAWAY with a lower id.
    @exclusivity(unchecked) var wasRefused = false
    /// When the peer opened it, until its request is overdue; the loop's clock.
    @exclusivity(unchecked) var openedNs = Int64.max
    /// Bytes of output that were sent, and where they stood when the peer was last seen to read: see `sweep`.
    @exclusivity(unchecked) var takenBytes = 0
    @exclusivity(unchecked) var readMarkBytes = 0
    @exclusivity(unchecked) var readMarkNs: Int64?
    @exclusivity(unchecked) private var resetTimer: TimerToken?
    /// Whether the stream must be made anew after its end: a weak reference to it makes each retain and release slower.
    private var wasReferencedWeakly = false

    private init(connection: HTTP2Connection, id: Int32) {
        owner = connection
        self.id = id
    }

    /// A stream that begins, in the memory of one that ended where there is one.
    static func make(connection: HTTP2Connection, id: Int32) -> HTTP2Stream {
        guard let stream = connection.loop.sparedStreams.popLast() else {
            return HTTP2Stream(connection: connection, id: id)
        }
        stream.owner = connection
        stream.id = id
        return stream
    }

    /// Makes the stream what it was in the beginning and keeps it for the loop's next one. Only after its end, when nobody
    /// else holds it.
    func spare(in loop: EventLoop) {
        guard loop.sparedStreams.count < Limits.sparedStreamsMax, !wasReferencedWeakly else { return }
        owner = nil
        isClosed = false
        remoteEnded = false
        connectionError = nil
        ending = .open
        sentHeaders = false
        isEnding = false
        isDeferred = false
        owesWritable = false
        receivedHeaders = false
        wasSent = false
        wasRefused = false
        openedNs = .max
        readMarkNs = nil
        isLong = false
        loop.sparedStreams.append(self)
    }

    // MARK: What is known

    /// The other end's address, for people to read.
    package var peerAddress: String { connection.peerAddress }

    /// How long what is being read has surely waited in the kernel, in nanoseconds.
    package var inputWaitNs: Int64 { connection.inputWaitNs }

    /// Its call is of a caller who is known; see `HTTP2Connection.becomeKnown`.
    package func callerIsKnown() { connection.becomeKnown() }

    /// Bytes that wait to be sent.
    package var bufferedBytes: Int { output.byteCount }

    /// Whether more should be sent now; where not, `streamWritable` follows.
    package var isWritable: Bool {
        guard !isClosed else { return false }
        if output.byteCount < connection.configuration.streamBufferHighBytes { return true }
        owesWritable = true
        return false
    }

    /// Clients: whether no handler at the peer can have seen the stream, so that trying again is safe.
    package var wasSurelyNotProcessed: Bool { wasRefused || !wasSent }

    // MARK: Sending

    /// Sends the response's headers.
    package func sendHeaders(_ headers: HTTP2Headers, endStream: Bool = false) {
        headers.withFields { submitResponse($0, endStream: endStream) }
    }

    /// Sends the response's headers.
    package func sendHeaders(_ headers: HTTP2ConstantHeaders, endStream: Bool = false) {
        submitResponse(UnsafeBufferPointer(headers.fields), endStream: endStream)
    }

    /// Sends bytes, without copying them here.
    package func sendData(_ bytes: [UInt8], endStream: Bool = false) {
        guard !isClosed, !isEnding else { return }
        output.append(bytes)
        if endStream { end(with: .endStream) }
        connection.outputGrew(bytes.count, of: self)
        resume()
    }

    /// Sends bytes, which are copied.
    package func sendData(_ bytes: UnsafeRawBufferPointer, endStream: Bool = false) {
        guard !isClosed, !isEnding else { return }
        output.append(copying: bytes)
        if endStream { end(with: .endStream) }
        connection.outputGrew(bytes.count, of: self)
        resume()
    }

    /// Ends our side with trailers.
    package func sendTrailers(_ trailers: HTTP2Headers) {
        guard !isClosed, !isEnding else { return }
        end(with: .trailers(trailers))
        resume()
    }

    /// Ends our side with trailers.
    package func sendTrailers(_ trailers: HTTP2ConstantHeaders) {
        guard !isClosed, !isEnding else { return }
        end(with: .constantTrailers(trailers))
        resume()
    }

    /// Sends a whole answer, which is copied.
    package func respond(
        headers: HTTP2ConstantHeaders, body: UnsafeRawBufferPointer, trailers: HTTP2ConstantHeaders
    ) {
        keep(body)
        respond(headers: headers, trailers: trailers)
    }

    /// Keeps a copy of an answer that may not be sent yet: nothing leaves before `respond(headers:trailers:)`.
    package func keep(_ body: UnsafeRawBufferPointer) {
        guard !isClosed, !isEnding else { return }
        output.append(copying: body)
        connection.outputGrew(body.count, of: self)
    }

    /// Sends what was kept as a whole answer.
    package func respond(headers: HTTP2ConstantHeaders, trailers: HTTP2ConstantHeaders) {
        guard !isClosed, !isEnding else { return }
        end(with: .constantTrailers(trailers))
        submitResponse(UnsafeBufferPointer(headers.fields), endStream: false)
    }

    /// Takes out what was kept and not sent.
    package func takeKept() -> [UInt8] {
        let kept = [UInt8](unsafeUninitializedCapacity: output.byteCount) { buffer, count in
            count = output.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
        connection.outputShrank(kept.count)
        return kept
    }

    /// Forgets what was kept and not sent.
    package func dropKept() {
        if !sentHeaders, output.byteCount > 0 { dropOutput() }
    }

    /// Sends a whole answer.
    package func respond(headers: HTTP2ConstantHeaders, body: [UInt8], trailers: HTTP2ConstantHeaders) {
        guard !isClosed, !isEnding else { return }
        output.append(body)
        end(with: .constantTrailers(trailers))
        submitResponse(UnsafeBufferPointer(headers.fields), endStream: false)
        connection.outputGrew(body.count, of: self)
    }

    /// Sends a whole answer.
    package func respond(headers: HTTP2Headers, body: [UInt8], trailers: HTTP2Headers) {
        guard !isClosed, !isEnding else { return }
        output.append(body)
        end(with: .trailers(trailers))
        headers.withFields { submitResponse($0, endStream: false) }
        connection.outputGrew(body.count, of: self)
    }

    /// Credits bytes to the sender that `dataReceived` brought: the handler has taken them.
    package func consume(_ byteCount: Int) {
        let credited = min(byteCount, unconsumedBytes)
        guard credited > 0, !isClosed else { return }
        unconsumedBytes -= credited
        connection.credit(credited, to: self)
    }

    /// Ends the stream at once in both directions.
    package func reset(errorCode: UInt32) {
        guard !isClosed else { return }
        isEnding = true
        dropOutput()
        connection.submitReset(id, errorCode: errorCode)
    }

    /// After a whole answer to a peer that still sends: RST_STREAM(NO_ERROR) in a while, unless the peer ends its
    /// side before. At once it would make proxies drop the answer.
    package func resetAfterDelay() {
        guard !isClosed, !remoteEnded, resetTimer == nil else { return }
        wasReferencedWeakly = true
        resetTimer = connection.loop.schedule(after: connection.configuration.resetDelayNs) { [weak self] in
            guard let self, !self.remoteEnded else { return }
            self.reset(errorCode: HTTP2ErrorCode.noError)
        }
    }

    // MARK: Within the module

    private func end(with ending: Ending) {
        self.ending = ending
        isEnding = true
    }

    private func submitResponse(_ fields: UnsafeBufferPointer<nghttp2_nv>, endStream: Bool) {
        guard !isClosed, !sentHeaders else { return }
        sentHeaders = true
        if endStream { isEnding = true }
        connection.submitResponse(fields, of: self, endStream: endStream)
    }

    private func resume() {
        guard isDeferred else { return }
        isDeferred = false
        connection.resume(self)
    }

    /// Forgets what waits to be sent.
    func dropOutput() {
        connection.outputShrank(output.byteCount)
        output.removeAll()
    }

    /// The last of a stream: its delegate hears of it and is let go.
    func close(errorCode: UInt32) {
        guard !isClosed else { return }
        isClosed = true
        dropOutput()
        if let resetTimer {
            connection.loop.cancel(resetTimer)
            self.resetTimer = nil
        }
        let last = delegate
        delegate = nil
        last?.streamClosed(self, errorCode: errorCode)
    }
}

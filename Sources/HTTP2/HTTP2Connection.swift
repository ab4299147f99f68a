import CNghttp2

/// One HTTP/2 connection, of either side. Confined to its loop's thread; `Sendable` so that work for the loop may
/// name it.
///
/// nghttp2 may be told things from within its own callbacks, but neither asked for output nor ended there. Hence
/// nothing is written, and no connection goes away, before the end of the loop's turn (`turnEnded`).
///
/// `@exclusivity(unchecked)`: as in `HTTP2Stream`.
package final class HTTP2Connection: @unchecked Sendable {
    package enum Role: Sendable { case server, client }

    /// From open to closed, never back.
    enum Phase {
        case open
        /// The last GOAWAY is queued: nothing is read any more, what is queued goes out.
        case finishing(HTTP2Error)
        /// Our side of the socket is shut; the peer's end is awaited, lest unread bytes make the kernel drop what
        /// we wrote.
        case lingering
        case closed
    }

    package let role: Role
    package let loop: EventLoop
    package let configuration: HTTP2Configuration
    package let metrics: HTTP2Metrics
    /// The other end's address, for people to read.
    package let peerAddress: String
    /// Whether a caller who is known made a call on it: see `becomeKnown`.
    @exclusivity(unchecked) package internal(set) var isKnown = false
    /// Until when no call makes it known again.
    var distrustedUntilNs: Int64 = .min
    /// Whatever the connection's owner wants to find again.
    package var userData: AnyObject?

    let transport: any ByteTransport
    @exclusivity(unchecked) var registration: Registration?
    /// nghttp2's state; gone as soon as the phase is neither open nor finishing.
    @exclusivity(unchecked) var session: OpaquePointer?
    @exclusivity(unchecked) var handler: (any HTTP2ConnectionHandler)?
    /// The owner's list is told of the end.
    var onClosed: ((HTTP2Connection) -> Void)?
    @exclusivity(unchecked) var phase = Phase.open
    /// Why the connection is to be closed at the end of the turn.
    @exclusivity(unchecked) var closeReason: HTTP2Error?
    @exclusivity(unchecked) var liveStreams: [HTTP2Stream] = []

    // Reading.
    @exclusivity(unchecked) var inputAge = InputAge()
    /// The header block that is coming in, and whose it is. Not retained, nor is `heldStream`: a stream stands in `liveStreams`
    /// until it ends, and then in neither of them.
    @exclusivity(unchecked) var incoming = HeaderBlockBuilder()
    @exclusivity(unchecked) var incomingStream: Unmanaged<HTTP2Stream>?
    /// Whether that block went over the limit: the rest of it is dropped.
    @exclusivity(unchecked) var incomingIsTooLarge = false
    var receivedSettings = false
    /// The last piece of DATA and whose it is, kept back until nghttp2 has seen whether the frame ends its stream: a call
    /// whose message is whole is so handed over once and in place. It never outlives the read that brought it.
    @exclusivity(unchecked) var heldStream: Unmanaged<HTTP2Stream>?
    @exclusivity(unchecked) var heldBytes = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Bytes that were consumed of streams that have ended, told to nghttp2 once in a turn.
    @exclusivity(unchecked) var creditedBytes = 0
    /// Streams that were opened and not counted yet; also counted once in a turn.
    @exclusivity(unchecked) var uncountedStreams = 0
    /// Where the loop counted it last among those with new streams.
    @exclusivity(unchecked) var countedIn = -1

    // Writing.
    /// What a write left over; nghttp2 is asked for more only when it is gone.
    @exclusivity(unchecked) var pendingOutput: [UInt8] = []
    @exclusivity(unchecked) var pendingOffset = 0
    @exclusivity(unchecked) var awaitsWritable = false
    @exclusivity(unchecked) var isDirty = false
    /// The output of all streams.
    @exclusivity(unchecked) var bufferedBytes = 0

    // The bound of streams; see `HTTP2Connection+StreamLimit`.
    /// What the peer was told last, what it acknowledged last, and how many of its streams go on for long.
    @exclusivity(unchecked) var announcedStreams: UInt32
    @exclusivity(unchecked) var acknowledgedStreams: UInt32
    @exclusivity(unchecked) var longStreams: UInt32 = 0
    /// Whether SETTINGS were given to nghttp2 that the peer has not acknowledged, and whether the bound waits in them.
    var awaitsSettingsAck = true
    @exclusivity(unchecked) var hasUnsentStreamLimit = false

    // Ends.
    var drain = DrainState.none
    /// The error code of the peer's GOAWAY; nil where it has said none.
    package internal(set) var peerGoawayCode: UInt32?
    var peerSaidGoaway = false
    @exclusivity(unchecked) var clock: ConnectionClock
    var armed: TimerToken?
    @exclusivity(unchecked) var strikes: PingStrikes
    var peerResets: TokenBucket
    var ownResets: TokenBucket
    @exclusivity(unchecked) var controlFrames: TokenBucket
    @exclusivity(unchecked) var meter: FrameMeter
    /// Header blocks that nghttp2 told the beginning of, and HEADERS frames that it ignored and that were charged.
    @exclusivity(unchecked) var begunBlocks = 0
    var chargedBlocks = 0
    /// Bytes of the header block that is coming in, those that were dropped included.
    @exclusivity(unchecked) var incomingListBytes = 0
    /// Frames that waited to be sent when the last turn ended, as they stand in the loop's holdings.
    @exclusivity(unchecked) var queuedFrames = 0
    /// The same of `pendingOutput`.
    @exclusivity(unchecked) var pendingBytes = 0
    /// Whether a frame of a call was ever sent.
    @exclusivity(unchecked) var hasServed = false

    init(
        role: Role, loop: EventLoop, transport: any ByteTransport, peerAddress: String,
        configuration: HTTP2Configuration, metrics: HTTP2Metrics
    ) {
        self.role = role
        self.loop = loop
        self.transport = transport
        self.peerAddress = peerAddress
        self.configuration = configuration
        self.metrics = metrics
        announcedStreams = configuration.concurrentStreamsMax
        acknowledgedStreams = announcedStreams
        let nowNs = loop.nowNs
        clock = ConnectionClock(configuration, nowNs: nowNs, jitter: Double.random(in: -1...1))
        strikes = PingStrikes(configuration.keepalive)
        let floods = configuration.floods
        meter = FrameMeter(role)
        peerResets = TokenBucket(burst: floods.peerResetBurst, perSecond: floods.peerResetsPerSecond, nowNs: nowNs)
        ownResets = TokenBucket(burst: floods.ownResetBurst, perSecond: floods.ownResetsPerSecond, nowNs: nowNs)
        controlFrames = TokenBucket(
            burst: floods.controlFrameBurst, perSecond: floods.controlFramesPerSecond, nowNs: nowNs)
    }

    deinit {
        if let session { nghttp2_session_del(session) }
    }

    /// Begins: makes the session, sends SETTINGS, reads.
    func start(handler: any HTTP2ConnectionHandler) throws(HTTP2Error) {
        self.handler = handler
        session = SessionFactory.make(for: self)
        registration = try loop.register(transport.descriptor, events: Self.readable, handler: self)
        rearm()
        markDirty()
    }

    // MARK: What is known

    /// Whether new streams may be opened.
    package var isOpen: Bool {
        guard case .open = phase else { return false }
        return closeReason == nil && drain == .none && !peerSaidGoaway
    }

    /// How long what is being read has surely waited in the kernel, in nanoseconds.
    package var inputWaitNs: Int64 { inputAge.arrivedByNs.map { loop.nowNs - $0 } ?? 0 }

    /// How many streams are open.
    package var streamCount: Int { liveStreams.count }

    /// Clients: how many more streams the peer takes now. Before its SETTINGS came, nghttp2's customary 100 are
    /// assumed.
    package var availableStreams: Int {
        guard isOpen, let session else { return 0 }
        let allowed = nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS)
        let most = receivedSettings ? Int(allowed) : 100
        return max(0, most - liveStreams.count)
    }

    // MARK: What may be asked

    /// Clients: opens a stream. `body` goes out at once; without `endStream` more may be sent with
    /// `HTTP2Stream.sendData`.
    package func openStream(
        headers: HTTP2Headers, body: [UInt8] = [], endStream: Bool, delegate: any HTTP2StreamDelegate
    ) throws(HTTP2Error) -> HTTP2Stream {
        let opened = headers.withFields { open($0, body: body, endStream: endStream, delegate: delegate) }
        guard let opened else { throw HTTP2Error.notAcceptingStreams }
        return opened
    }

    private func open(
        _ fields: UnsafeBufferPointer<nghttp2_nv>, body: [UInt8], endStream: Bool, delegate: any HTTP2StreamDelegate
    ) -> HTTP2Stream? {
        precondition(role == .client, "only clients open streams")
        guard isOpen, let session else { return nil }
        let stream = HTTP2Stream.make(connection: self, id: 0)
        stream.delegate = delegate
        stream.sentHeaders = true
        stream.output.append(body)
        if endStream {
            stream.ending = .endStream
            stream.isEnding = true
        }
        let pointer = Unmanaged.passUnretained(stream).toOpaque()
        let id: Int32
        if endStream && body.isEmpty {
            id = nghttp2_submit_request(session, nil, fields.baseAddress, fields.count, nil, pointer)
        } else {
            var provider = SessionFactory.provider(for: stream)
            id = nghttp2_submit_request(session, nil, fields.baseAddress, fields.count, &provider, pointer)
        }
        guard id > 0 else {
            stream.isClosed = true
            return nil
        }
        stream.id = id
        outputGrew(body.count, of: stream)
        insert(stream)
        markDirty()
        return stream
    }

    /// Sends a PING of the owner's; the answer shows in nothing but the connection's life.
    package func ping() {
        guard let session, isOpen else { return }
        submitPing(session, Self.keepalivePing)
    }

    /// Ends the connection at the end of this turn, with all of its streams.
    package func close(error: HTTP2Error = .closedLocally) {
        guard closeReason == nil else { return }
        closeReason = error
        markDirty()
    }

    static let keepalivePing: UInt64 = 0x746f_6c6c_6761_7465
    static let drainPing: UInt64 = 0x746f_6c6c_6472_6e21

    // MARK: For streams

    func insert(_ stream: HTTP2Stream) {
        stream.liveIndex = liveStreams.count
        loop.holdings.streams += 1
        liveStreams.append(stream)
        uncountedStreams += 1
        if liveStreams.count == 1 { streamCountChanged() }
    }

    func remove(_ stream: HTTP2Stream) {
        guard stream.liveIndex >= 0 else { return }
        loop.holdings.streams -= 1
        let last = liveStreams.removeLast()
        if last !== stream {
            liveStreams[stream.liveIndex] = last
            last.liveIndex = stream.liveIndex
        }
        stream.liveIndex = -1
        if stream.isLong { longStreams -= 1 }
        if liveStreams.isEmpty { streamCountChanged() }
    }

    private func streamCountChanged() {
        clock.streamsChanged(count: liveStreams.count, nowNs: loop.nowNs)
        rearm()
    }

    func submitResponse(_ fields: UnsafeBufferPointer<nghttp2_nv>, of stream: HTTP2Stream, endStream: Bool) {
        guard let session else { return }
        let result: Int32
        if endStream {
            result = nghttp2_submit_response(session, stream.id, fields.baseAddress, fields.count, nil)
        } else {
            var provider = SessionFactory.provider(for: stream)
            result = nghttp2_submit_response(session, stream.id, fields.baseAddress, fields.count, &provider)
        }
        precondition(result == 0, "nghttp2 takes a response for an open stream")
        markDirty()
    }

    func submitReset(_ id: Int32, errorCode: UInt32) {
        guard let session else { return }
        nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, errorCode)
        markDirty()
    }

    func resume(_ stream: HTTP2Stream) {
        guard let session else { return }
        nghttp2_session_resume_data(session, stream.id)
        markDirty()
    }

    func credit(_ byteCount: Int, to stream: HTTP2Stream) {
        guard let session else { return }
        if stream.remoteEnded {
            creditedBytes += byteCount
        } else {
            nghttp2_session_consume(session, stream.id, byteCount)
        }
        markDirty()
    }

    /// The bound of all streams' output together: who goes over it is reset, the connection lives on.
    func outputGrew(_ byteCount: Int, of stream: HTTP2Stream) {
        bufferedBytes += byteCount
        loop.holdings.outputBytes += byteCount
        guard bufferedBytes > min(configuration.connectionBufferBytesMax, loop.holdings.outputShare) else { return }
        metrics.add(.outputTooLarge)
        stream.reset(errorCode: HTTP2ErrorCode.enhanceYourCalm)
    }

    func outputShrank(_ byteCount: Int) {
        bufferedBytes -= byteCount
        loop.holdings.outputBytes -= byteCount
    }

    /// Has `turnEnded` called.
    func markDirty() {
        guard !isDirty else { return }
        isDirty = true
        loop.atTurnEnd(self)
    }
}

import HTTP2

/// One gRPC call over one HTTP/2 stream, at the server: turns frames into messages and a call's end into trailers.
/// Confined to its loop's thread. `@exclusivity(unchecked)`: as in `HTTP2Stream`.
final class GRPCExchange: HTTP2StreamDelegate, ServerExchange {
    /// Kept by the stream's connection; an exchange that is spared is kept by it in turn.
    private unowned(unsafe) let home: ServerLoop
    /// There until it is closed.
    @exclusivity(unchecked) private var stream: HTTP2Stream!
    @exclusivity(unchecked) private var deframer: MessageDeframer
    /// The call; nil before its headers and after its end.
    @exclusivity(unchecked) private var call: ServerCall?
    /// The call after its end: the next one, unless somebody holds it still.
    @exclusivity(unchecked) private var endedCall: ServerCall?
    /// Request bytes for which the client was not given new room.
    @exclusivity(unchecked) private var uncreditedBytes = 0
    /// What this exchange keeps of its request, as it stands in the loop's sum.
    @exclusivity(unchecked) private var gatheredBytes = 0
    /// Whose call it was, once it has ended.
    @exclusivity(unchecked) private var payer: CallShare?
    /// Whether the client has sent all that it will.
    @exclusivity(unchecked) private var hasRequestEnded = false
    /// Why no further request is taken, where the client has not ended them.
    @exclusivity(unchecked) private var requestEnd: RPCError?
    /// Whether requests are just being given: who asks for more meanwhile gets them anyway.
    @exclusivity(unchecked) private var isGiving = false
    /// Whether response headers were sent.
    @exclusivity(unchecked) private var hasSentHeaders = false
    /// The answer to a call that was refused before it began, for when its request has arrived: who is answered earlier has to
    /// be stopped too.
    @exclusivity(unchecked) private var refusal: HTTP2ConstantHeaders?

    private init(home: ServerLoop) {
        self.home = home
        deframer = MessageDeframer(limit: home.core.configuration.maxRequestBytes)
    }

    /// An exchange that begins, in the memory of one that ended where there is one.
    static func make(home: ServerLoop, stream: HTTP2Stream) -> GRPCExchange {
        let exchange = home.sparedExchanges.popLast() ?? GRPCExchange(home: home)
        exchange.stream = stream
        return exchange
    }

    /// Makes the exchange what it was in the beginning and keeps it for the next one. Its stream is closed and its call has
    /// ended, so that nobody holds it any more.
    private func spare() {
        stream = nil
        payer = nil
        if isKnownUniquelyReferenced(&endedCall) { endedCall?.leaveCount() } else { endedCall = nil }
        deframer.removeAll(keepingBytes: Limits.sparedDeframerBytes)
        uncreditedBytes = 0
        if gatheredBytes > 0 { countGathered() }
        guard home.keepsExchanges, home.sparedExchanges.count < Limits.sparedExchanges else { return }
        hasRequestEnded = false
        requestEnd = nil
        hasSentHeaders = false
        refusal = nil
        home.sparedExchanges.append(self)
    }

    // MARK: From HTTP/2

    /// Headers that were admitted before need not be read again.
    func headerBlockReceived(_ stream: HTTP2Stream, block: HTTP2HeaderBlock, endStream: Bool) {
        // Retained once: it is not this exchange's own.
        let home = home
        guard let head = home.heads.find(block) else {
            return headersReceived(stream, headers: HTTP2Headers(block), endStream: endStream)
        }
        hasRequestEnded = endStream
        if let answer = home.answerAtOnce(to: head, waitedNs: stream.inputWaitNs) {
            refusal = answer
            payer = head.share
            if endStream || head.method.startsEarly { sendRefusal() }
        } else {
            begin(head, on: stream, home)
        }
    }

    /// Ends a call that was never begun.
    private func sendRefusal() {
        guard let refusal else { return }
        self.refusal = nil
        stream.sendHeaders(refusal, endStream: true)
        endEarly()
    }

    private func begin(_ head: RequestHead, on stream: HTTP2Stream, _ home: ServerLoop) {
        let call: ServerCall
        if let ended = endedCall.take() {
            ended.begin(head, exchange: self)
            call = ended
        } else {
            call = ServerCall(home: home, head: head, exchange: self)
        }
        self.call = call
        call.start()
        if !call.isOfStranger { stream.callerIsKnown() }
        if hasRequestEnded { call.receiveEnd() }
    }

    func headersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers, endStream: Bool) {
        hasRequestEnded = endStream
        switch GRPCRequestHead(headers, methods: home.core.methods) {
        case .call(let method, let timeoutNs):
            begin(RequestHead(headers: headers, method: method, timeoutNs: timeoutNs), on: stream, home)
        case .refused(let error):
            finish(CallEnd(error: error))
        case .unknownEncoding:
            let error = RPCError(code: .unimplemented, message: "messages must not be compressed")
            stream.sendHeaders(
                GRPCResponseHead.trailersOnly(error: error, metadata: Metadata(), acceptedEncoding: true),
                endStream: true)
            endEarly()
        case .healthCheck:
            PlainAnswer.health(home.core.health).send(on: stream)
            endEarly()
        case .metrics:
            PlainAnswer(metrics: home.metricsText()).send(on: stream)
            endEarly()
        case .http(let refusal):
            PlainAnswer(refusal).send(on: stream)
            endEarly()
        }
    }

    func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) {
        hasRequestEnded = endStream
        finish(
            CallEnd(
                error: RPCError(code: .resourceExhausted, message: "the request's metadata is too large")))
    }

    func dataReceived(_ stream: HTTP2Stream, bytes: UnsafeRawBufferPointer, endStream: Bool) {
        if endStream { hasRequestEnded = true }
        guard let call else {
            stream.consume(bytes.count)
            sendRefusal()
            return
        }
        do throws(DeframeError) {
            if endStream, deframer.pendingBytes == 0, call.message == nil, call.requests == nil,
                call.streamHandler == nil,
                let message = try MessageDeframer.single(
                    in: bytes, limit: home.core.configuration.maxRequestBytes)
            {
                stream.consume(bytes.count)
                call.receiveOnly(message)
                return
            }
            uncreditedBytes += bytes.count
            if requestEnd == nil { deframer.push(bytes) }
            if call.streamHandler != nil {
                giveRequests()
                return checkGathered()
            }
            while let message = try deframer.next() { call.receive(message) }
        } catch {
            call.fail(error.rpcError)
        }
        if endStream { endRequest() }
        if self.call?.wantsMore ?? true { took(uncreditedBytes, idle: true) }
        checkGathered()
    }

    /// What many requests keep together is bounded, whatever each may have: the one that grows over its share ends.
    private func checkGathered() {
        countGathered()
        let left = max(0, Limits.gatheredBytes - home.gatheredBytes)
        guard gatheredBytes > left / Limits.gatheredShare, call != nil else { return }
        home.core.refusals.count(.requestBytes)
        call?.fail(ServerCall.noRoom)
        deframer.removeAll(keepingBytes: 0)
        countGathered()
    }

    private func countGathered() {
        let bytes = max(uncreditedBytes, deframer.pendingBytes) + (call?.message?.count ?? 0)
        home.gatheredBytes += bytes - gatheredBytes
        gatheredBytes = bytes
    }

    /// A request of one message must come within its time; a stream of messages may go on.
    func requestOverdue(_ stream: HTTP2Stream) -> Bool {
        guard let call else {
            defer { sendRefusal() }
            return refusal != nil
        }
        guard !call.head.method.startsEarly else { return false }
        call.fail(.deadlineExceeded, "the request did not arrive in time")
        deframer.removeAll(keepingBytes: 0)
        countGathered()
        return true
    }

    /// The messages are given where they lie. Whatever its handler does meanwhile, also an end of the call or a wish for more,
    /// is seen before the next one.
    func giveRequests() {
        guard !isGiving else { return }
        isGiving = true
        defer { isGiving = false }
        do throws(DeframeError) {
            while let handler = call?.streamHandler, handler.wantsMore {
                guard try deframer.withNext({ handler.received($0) }) != nil else { break }
            }
        } catch {
            call?.fail(error.rpcError)
        }
        guard call?.wantsMore ?? true else { return }
        took(uncreditedBytes, idle: true)
        if let requestEnd {
            call?.streamHandler?.requestsEnded(requestEnd)
        } else if hasRequestEnded {
            endRequest()
        }
    }

    func endRequests(_ error: RPCError) {
        guard !hasRequestEnded else { return }
        requestEnd = error
        giveRequests()
    }

    func trailersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers) {
        hasRequestEnded = true
        sendRefusal()
        if call?.streamHandler == nil { endRequest() } else { giveRequests() }
    }

    /// Strangers have no budget of their own: their connection pays.
    func peerReset(_ stream: HTTP2Stream) -> Bool {
        guard let payer = call?.share ?? payer, payer !== home.commonShare else { return false }
        return payer.payForCancel(home.core.configuration, nowNs: home.loop.nowNs)
    }

    func streamClosed(_ stream: HTTP2Stream, errorCode: UInt32) {
        if let call {
            call.abandon()
            self.call = nil
            endedCall = call
        }
        spare()
    }

    func streamWritable(_ stream: HTTP2Stream) { call?.becameWritable() }

    /// The client has sent all that it will.
    private func endRequest() {
        if deframer.pendingBytes > 0 {
            call?.fail(.internal, "the request ended within a message")
        } else {
            call?.receiveEnd()
        }
    }

    // MARK: From the call

    var peer: String { stream.peerAddress }

    var isWritable: Bool { stream.isWritable }

    var waitedNs: Int64 { stream.inputWaitNs }

    func goesOnForLong() { stream.goesOnForLong() }

    func send(_ message: [UInt8], initialMetadata: Metadata) {
        sendHeaders(initialMetadata)
        stream.sendData(message, endStream: false)
    }

    func send(_ message: UnsafeRawBufferPointer, initialMetadata: Metadata) {
        sendHeaders(initialMetadata)
        stream.sendData(message, endStream: false)
    }

    func finish(_ end: CallEnd) {
        letGo()
        stream.dropKept()
        let isPlain = end.error == nil && end.trailingMetadata.isEmpty
        if let message = end.message, isPlain, !hasSentHeaders, end.initialMetadata.isEmpty {
            stream.respond(
                headers: GRPCResponseHead.headers, body: message, trailers: GRPCResponseHead.okTrailers)
        } else if end.message == nil, !hasSentHeaders, end.initialMetadata.isEmpty {
            stream.sendHeaders(
                GRPCResponseHead.trailersOnly(error: end.error, metadata: end.trailingMetadata),
                endStream: true)
        } else {
            sendHeaders(end.initialMetadata)
            if let message = end.message { stream.sendData(message, endStream: false) }
            stream.sendTrailers(
                GRPCResponseHead.trailers(error: end.error, metadata: end.trailingMetadata))
        }
        endEarly()
    }

    func finish(message: UnsafeRawBufferPointer) {
        letGo()
        stream.respond(headers: GRPCResponseHead.headers, body: message, trailers: GRPCResponseHead.okTrailers)
        endEarly()
    }

    func keep(message: UnsafeRawBufferPointer) { stream.keep(message) }

    func takeKept() -> [UInt8] { stream.takeKept() }

    func finishKept() {
        letGo()
        guard let stream else { return }
        stream.respond(headers: GRPCResponseHead.headers, trailers: GRPCResponseHead.okTrailers)
        endEarly()
    }

    /// The call has ended; its tenant still answers for a reset of the stream.
    private func letGo() {
        payer = call?.share
        endedCall = call
        call = nil
    }

    func took(_ byteCount: Int, idle: Bool) {
        let credited = idle ? uncreditedBytes : min(byteCount, uncreditedBytes)
        guard credited > 0 else { return }
        uncreditedBytes -= credited
        if gatheredBytes > 0 { countGathered() }
        stream.consume(credited)
    }

    /// Sends the headers before the first message, once.
    private func sendHeaders(_ metadata: Metadata) {
        guard !hasSentHeaders else { return }
        hasSentHeaders = true
        if metadata.isEmpty {
            stream.sendHeaders(GRPCResponseHead.headers, endStream: false)
        } else {
            stream.sendHeaders(GRPCResponseHead.headers(metadata: metadata), endStream: false)
        }
    }

    /// The answer is complete; where the client still sends, it is stopped after a while (WIRE.md, gRPC 9).
    private func endEarly() {
        took(0, idle: true)
        if !hasRequestEnded { stream.resetAfterDelay() }
    }
}

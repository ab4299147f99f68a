import CNghttp2
import Glibc
import Protobuf

/// The lanes of one connection whose steps all go over one Meter stream, told apart by their tags.
final class MeterStream: LaneCarrier {
    /// Tags begin here, so that all of them take two bytes.
    private static let firstTag = 128

    /// The run keeps its carriers, and so outlives them.
    private unowned(unsafe) let run: LoadRun
    private let pairs: StepPairs
    private let headers: RequestHeaders
    private let tenant: Int
    private let firstLane: Int
    var connection: Connection!
    private var lanes: LaneBlock!
    /// Steps that nghttp2 has not taken yet: at most one for each lane, and how much of them it has taken.
    fileprivate var outgoing = ByteBuffer(capacity: 64 * 1024)
    fileprivate var takenCount = 0
    /// The beginning of an answer that is not whole yet.
    private var incoming = ByteBuffer(capacity: 64 * 1024)
    private var stream: Int32 = 0
    /// Whether nghttp2 waits to be told that there is something to send.
    fileprivate var isDeferred = false
    /// Whether our side is to end behind what is outgoing.
    fileprivate var isEnding = false
    private var isClosed = false
    private var isStatusOK = false
    private var grpcStatus: Int32 = -1
    private var grpcMessage = ""
    private var fault: String?

    init(
        _ run: LoadRun, pairs: StepPairs, headers: RequestHeaders, tenant: Int, firstLane: Int, laneCount: Int
    ) {
        self.run = run
        self.pairs = pairs
        self.headers = headers
        self.tenant = tenant
        self.firstLane = firstLane
        lanes = LaneBlock(first: firstLane, count: laneCount, carrier: self)
    }

    deinit {
        lanes.deallocate()
        outgoing.deallocate()
        incoming.deallocate()
    }

    func forEachLane(_ body: (LanePointer) -> Void) {
        for index in 0..<lanes.count { body(lanes[index]) }
    }

    func owes(_ lane: LanePointer) -> Bool { pairs.isOpen(lane.pointee.number) }

    // MARK: Asking

    func begin(_ lane: LanePointer, nowNs: Int64) {
        if stream == 0 { open() }
        guard !isClosed else { return run.stopped(lane, fault: endText) }
        lane.pointee.restart(nowNs: nowNs)
        let number = lane.pointee.number
        pairs.append(number, to: &outgoing, tag: UInt16(Self.firstTag + number - firstLane), nowNs: nowNs)
        resume()
    }

    private func open() {
        var body = nghttp2_data_provider(
            source: nghttp2_data_source(ptr: Unmanaged.passUnretained(self).toOpaque()), read_callback: readSteps)
        stream = headers.submit(connection.session, .meter, tenant: tenant, body: &body, userData: nil)
        guard stream < 0 else { return }
        isClosed = true
        fault = "HTTP/2: " + String(cString: nghttp2_strerror(stream))
    }

    private func resume() {
        guard isDeferred else { return }
        isDeferred = false
        _ = nghttp2_session_resume_data(connection.session, stream)
    }

    /// Ends our side; the server then ends its own with a status.
    func finish() {
        guard stream > 0, !isClosed else {
            isClosed = true
            return
        }
        isEnding = true
        resume()
    }

    var isFinished: Bool { isClosed }

    // MARK: What is answered

    func headerReceived(stream: Int32, _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        if isEqual(name, ":status") { isStatusOK = isEqual(value, "200") }
        if isEqual(name, "grpc-status") { grpcStatus = number(value) }
        if isEqual(name, "grpc-message") { grpcMessage = String(decoding: value, as: UTF8.self) }
    }

    func dataReceived(stream: Int32, _ bytes: UnsafeRawBufferPointer) {
        guard fault == nil else { return }
        if incoming.count == 0 {
            let taken = takeMessages(bytes)
            incoming.append(UnsafeRawBufferPointer(rebasing: bytes[taken...]))
        } else {
            incoming.append(bytes)
            incoming.removeFirst(takeMessages(incoming.bytes))
        }
        if incoming.count > Limits.responseBytesMax {
            lose("an answer is longer than \(Limits.responseBytesMax) bytes")
        }
    }

    /// Takes the whole messages at the front and returns how many bytes they had.
    private func takeMessages(_ bytes: UnsafeRawBufferPointer) -> Int {
        let head = StepTemplates.headByteCount
        var taken = 0
        while bytes.count - taken >= head, fault == nil {
            let length = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: taken + 1, as: UInt32.self)))
            guard bytes.count - taken - head >= length else { break }
            take(UnsafeRawBufferPointer(rebasing: bytes[taken + head..<taken + head + length]))
            taken += head + length
        }
        return taken
    }

    /// A MeterResponse: the tag is field 1, the result field 2.
    private func take(_ message: UnsafeRawBufferPointer) {
        do throws(WireError) {
            var tag: UInt64 = 0
            var result = UnsafeRawBufferPointer(start: nil, count: 0)
            var reader = try WireReader(message)
            while let field = try reader.nextTag() {
                switch field {
                case 1 << 3: tag = try reader.uint64()
                case 2 << 3 | 2: result = try reader.lengthDelimited()
                default: try reader.pass(field)
                }
            }
            let index = Int(truncatingIfNeeded: tag) &- Self.firstTag
            guard (0..<lanes.count).contains(index), lanes[index].pointee.isInFlight else {
                return lose("Meter: an answer with tag \(tag), which no step in flight has")
            }
            let lane = lanes[index]
            let fault = try StepResultReader.fault(result, of: lane.pointee.number, pairs)
            pairs.advance(lane.pointee.number, succeeded: fault == nil)
            run.ended(lane, fault: fault)
        } catch {
            lose("the answer cannot be read: \(error)")
        }
    }

    /// The stream makes no sense any more.
    private func lose(_ reason: String) {
        fault = reason
        _ = nghttp2_submit_rst_stream(
            connection.session, UInt8(NGHTTP2_FLAG_NONE.rawValue), stream, NGHTTP2_CANCEL.rawValue)
    }

    /// A server that ends before it is asked to ends our side too.
    func serverEnded(stream: Int32) {
        guard !isEnding else { return }
        isEnding = true
        resume()
    }

    func streamClosed(_ stream: Int32, errorCode: UInt32) {
        if fault == nil, errorCode != 0 {
            fault = "the stream was reset: " + String(cString: nghttp2_http2_strerror(errorCode))
        }
        end()
    }

    func connectionLost(_ reason: String) {
        if fault == nil { fault = reason }
        end()
    }

    private func end() {
        guard !isClosed else { return }
        isClosed = true
        var inFlight = 0
        forEachLane { lane in
            guard lane.pointee.isInFlight else { return }
            inFlight += 1
            run.stopped(lane, fault: endText)
        }
        // Without a step in flight an end that is not as it should be would go unseen.
        if inFlight == 0, fault != nil || !isStatusOK || grpcStatus != 0 { run.countFailed(endText) }
    }

    private var endText: String {
        fault
            ?? (isStatusOK
                ? "the Meter stream ended with grpc-status \(grpcStatus) \(grpcMessage)" : "the HTTP status is not 200")
    }
}

/// Hands the steps that wait to nghttp2.
private let readSteps: nghttp2_data_source_read_callback = { _, _, buffer, length, flags, source, _ in
    Unmanaged<MeterStream>.fromOpaque(source!.pointee.ptr)._withUnsafeGuaranteedRef { meter in
        let count = min(length, meter.outgoing.count - meter.takenCount)
        guard count > 0 else {
            guard meter.isEnding else {
                meter.isDeferred = true
                return Int(NGHTTP2_ERR_DEFERRED.rawValue)
            }
            flags!.pointee |= UInt32(NGHTTP2_DATA_FLAG_EOF.rawValue)
            return 0
        }
        memcpy(buffer!, meter.outgoing.base + meter.takenCount, count)
        meter.takenCount += count
        if meter.takenCount == meter.outgoing.count {
            meter.outgoing.removeAll()
            meter.takenCount = 0
        }
        return count
    }
}

import CNghttp2
import Glibc

/// The lanes of one connection whose calls are unary: each has at most one call, one stream, in flight.
final class UnaryCalls: LaneCarrier {
    /// The run keeps its carriers, and so outlives them.
    private unowned(unsafe) let run: LoadRun
    private let script: any CallScript
    private let headers: RequestHeaders
    var connection: Connection!
    private var lanes: LaneBlock!
    /// The stream that was looked up last: its callbacks come one after the other.
    private var lastStream: Int32 = 0
    private var lastLane: LanePointer!
    /// Calls that were begun and have not ended.
    private var openCalls = 0

    init(
        _ run: LoadRun, script: any CallScript, headers: RequestHeaders, firstLane: Int, laneCount: Int,
        firstModest: Int = 0,
        modestCount: Int = 0
    ) {
        self.run = run
        self.script = script
        self.headers = headers
        lanes = LaneBlock(
            first: firstLane, count: laneCount, firstModest: firstModest, modestCount: modestCount, carrier: self)
        lastLane = lanes[0]
    }

    deinit { lanes.deallocate() }

    func forEachLane(_ body: (LanePointer) -> Void) {
        for index in 0..<lanes.count { body(lanes[index]) }
    }

    func finish() {}

    var isFinished: Bool { true }

    // MARK: Asking

    func begin(_ lane: LanePointer, nowNs: Int64) {
        guard !connection.isEnding else {
            return run.stopped(lane, fault: "the server takes no more calls on this connection")
        }
        lane.pointee.restart(nowNs: nowNs)
        let (method, tenant) = script.write(lane)
        var body = nghttp2_data_provider(
            source: nghttp2_data_source(ptr: UnsafeMutableRawPointer(lane)), read_callback: readRequest)
        let result = headers.submit(
            connection.session, method, tenant: tenant, body: &body, userData: UnsafeMutableRawPointer(lane))
        guard result > 0 else {
            return run.stopped(lane, fault: "HTTP/2: " + String(cString: nghttp2_strerror(result)))
        }
        openCalls += 1
    }

    var hasRoom: Bool {
        openCalls
            < Int(nghttp2_session_get_remote_settings(connection.session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS))
    }

    func owes(_ lane: LanePointer) -> Bool { script.owes(lane) }

    // MARK: What is answered

    func headerReceived(stream: Int32, _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        // The lengths tell the three that count from all others that servers send.
        switch name.count {
        case 7 where isEqual(name, ":status"):
            lane(of: stream).pointee.isStatusOK = isEqual(value, "200")
        case 11 where isEqual(name, "grpc-status"):
            lane(of: stream).pointee.grpcStatus = value.count == 1 && value[0] == UInt8(ascii: "0") ? 0 : number(value)
        case 12 where isEqual(name, "grpc-message"):
            guard run.wantsErrorText else { return }
            lane(of: stream).pointee.grpcMessage = String(decoding: value, as: UTF8.self)
        default: break
        }
    }

    func dataReceived(stream: Int32, _ bytes: UnsafeRawBufferPointer) {
        let lane = lane(of: stream)
        // As a rule an answer comes in one piece, and is read where it stands.
        if lane.pointee.response.count == 0, !lane.pointee.hasAnswer, let message = wholeMessage(bytes) {
            return take(lane, message)
        }
        guard lane.pointee.response.count + bytes.count <= Limits.responseBytesMax else {
            lane.pointee.fault = "the answer is longer than \(Limits.responseBytesMax) bytes"
            return
        }
        lane.pointee.response.append(bytes)
        if !lane.pointee.hasAnswer, let message = wholeMessage(lane.pointee.response.bytes) { take(lane, message) }
    }

    private func take(_ lane: LanePointer, _ message: UnsafeRawBufferPointer) {
        lane.pointee.hasAnswer = true
        lane.pointee.fault = script.fault(lane, message)
    }

    /// The message where the bytes are one, with its head and nothing behind.
    @inline(__always)
    private func wholeMessage(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let head = StepTemplates.headByteCount
        guard bytes.count >= head, bytes[0] == 0 else { return nil }
        let length = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 1, as: UInt32.self))
        guard Int(length) == bytes.count - head else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[head...])
    }

    func serverEnded(stream: Int32) {}

    func streamClosed(_ stream: Int32, errorCode: UInt32) {
        let lane = lane(of: stream)
        lastStream = 0
        openCalls -= 1
        let isRight =
            errorCode == 0 && lane.pointee.isStatusOK && lane.pointee.grpcStatus == 0 && lane.pointee.hasAnswer
            && lane.pointee.fault == nil
        if run.isOverload, !isRight, isTurnedAway(lane, errorCode) { return }
        script.advance(lane, succeeded: isRight)
        run.ended(lane, fault: isRight ? nil : fault(of: lane, errorCode))
    }

    /// Whether the server did not take the call: it refused the stream, or the call with UNAVAILABLE, and then the lane tries
    /// the same again; or it let the call's deadline pass, and then nobody knows what became of the step.
    private func isTurnedAway(_ lane: LanePointer, _ errorCode: UInt32) -> Bool {
        let isRefused = errorCode == NGHTTP2_REFUSED_STREAM.rawValue || lane.pointee.grpcStatus == Self.unavailable
        guard isRefused || lane.pointee.grpcStatus == Self.deadlineExceeded else { return false }
        if !isRefused { script.advance(lane, succeeded: false) }
        run.turnedAway(lane, isLate: !isRefused)
        return true
    }

    private static let deadlineExceeded: Int32 = 4
    private static let unavailable: Int32 = 14

    private func fault(of lane: LanePointer, _ errorCode: UInt32) -> String {
        if errorCode != 0 {
            return "the stream was reset: " + String(cString: nghttp2_http2_strerror(errorCode))
        }
        if !lane.pointee.isStatusOK { return "the HTTP status is not 200" }
        if lane.pointee.grpcStatus != 0 {
            return "grpc-status \(lane.pointee.grpcStatus) \(lane.pointee.grpcMessage)"
        }
        return lane.pointee.fault ?? "OK without a whole message"
    }

    func connectionLost(_ reason: String) {
        forEachLane { if $0.pointee.isInFlight { run.stopped($0, fault: reason) } }
    }

    // MARK: Within

    @inline(__always)
    private func lane(of stream: Int32) -> LanePointer {
        if stream == lastStream { return lastLane }
        let found = nghttp2_session_get_stream_user_data(connection.session, stream)
        guard let found else { preconditionFailure("nghttp2 calls back for streams that were opened here") }
        lastStream = stream
        lastLane = found.assumingMemoryBound(to: Lane.self)
        return lastLane
    }
}

/// Whether the bytes are this text.
@inline(__always)
func isEqual(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
    bytes.count == text.utf8CodeUnitCount && memcmp(bytes.baseAddress!, text.utf8Start, bytes.count) == 0
}

/// A status as a number; -1 where it is none.
func number(_ value: UnsafeRawBufferPointer) -> Int32 { Int32(String(decoding: value, as: UTF8.self)) ?? -1 }

/// Hands a lane's request to nghttp2, as much as fits into a frame and the peer's windows.
private let readRequest: nghttp2_data_source_read_callback = { _, _, buffer, length, flags, source, _ in
    let lane = source!.pointee.ptr.assumingMemoryBound(to: Lane.self)
    let sent = lane.pointee.sentCount
    let count = min(length, lane.pointee.request.count - sent)
    memcpy(buffer!, lane.pointee.request.base + sent, count)
    lane.pointee.sentCount = sent + count
    if lane.pointee.sentCount == lane.pointee.request.count { flags!.pointee |= UInt32(NGHTTP2_DATA_FLAG_EOF.rawValue) }
    return count
}

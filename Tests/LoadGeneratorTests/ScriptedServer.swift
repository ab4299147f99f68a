import HTTP2
import Locks
import Protobuf
import TollgateSchema

/// What a server under a run does wrong.
enum Misbehaviour: String, CaseIterable {
    case nothing
    /// grpc-status 9, without a message.
    case refuses
    /// HTTP status 503.
    case unavailable
    /// One micro too much.
    case wrongAmount
    /// The answer says that it is that of the first time, sent again.
    case replays
    /// Only the first bytes of the answer.
    case truncates
    /// OK without an answer.
    case emptyAnswer
    /// RST_STREAM.
    case resets
    /// The connection goes.
    case disconnects
    /// GOAWAY.
    case drains
    /// grpc-status 14, every call.
    case overloads
    /// grpc-status 4, every call.
    case givesUp
}

/// Answers metering calls as a server without a memory can: from what the request says. On a port of its own.
final class ScriptedServer: Sendable {
    private let loop: EventLoop
    private let listener: HTTP2Listener
    let counts = Protected(Counts())

    /// What has come in.
    struct Counts {
        var calls = 0
        var tenants: [String: Int] = [:]
        var ids: Set<String> = []
        /// Reservations that were not committed.
        var open: Set<String> = []
        var authorizations: Set<String> = []
    }

    var port: Int { listener.localAddress.port }

    init(_ misbehaviour: Misbehaviour = .nothing, afterCalls: Int = 0) throws {
        loop = try EventLoop(name: "scripted")
        try loop.start()
        let box = ServerBox()
        listener = try HTTP2Listener(loops: [loop], host: "127.0.0.1", port: 0) { connection in
            ScriptedConnection(connection, box, misbehaviour, afterCalls: afterCalls)
        }
        box.server.withLock { $0 = WeakServer(server: self) }
        listener.start()
    }

    func stop() {
        listener.stop()
        loop.stop()
        loop.join()
    }
}

/// How connections find the server that is made after them.
private final class ServerBox: Sendable {
    let server = Protected<WeakServer?>(nil)

    func count<Value: Sendable>(_ body: (inout ScriptedServer.Counts) -> Value) -> Value? {
        server.withLock { $0?.server }?.counts.withLock { body(&$0) }
    }
}

private struct WeakServer {
    weak var server: ScriptedServer?
}

private final class ScriptedConnection: HTTP2ConnectionHandler {
    private unowned let connection: HTTP2Connection
    private let box: ServerBox
    private let misbehaviour: Misbehaviour
    private let afterCalls: Int

    init(_ connection: HTTP2Connection, _ box: ServerBox, _ misbehaviour: Misbehaviour, afterCalls: Int) {
        self.connection = connection
        self.box = box
        self.misbehaviour = misbehaviour
        self.afterCalls = afterCalls
    }

    func streamOpened(_ stream: HTTP2Stream) -> any HTTP2StreamDelegate {
        let calls = box.count {
            $0.calls += 1
            return $0.calls
        }
        let isEarly = (calls ?? 0) <= afterCalls
        return ScriptedStream(connection, box, isEarly ? .nothing : misbehaviour)
    }

    func connectionClosed(_ connection: HTTP2Connection, error: HTTP2Error) {}
}

/// One call.
private final class ScriptedStream: HTTP2StreamDelegate {
    private static let okHeaders = constant(":status", "200")
    private static let unavailableHeaders = constant(":status", "503")
    private static let okTrailers = constant("grpc-status", "0")
    private static let refusal = constant("grpc-status", "9")
    private static let overload = constant("grpc-status", "14")
    private static let lateness = constant("grpc-status", "4")

    private unowned let connection: HTTP2Connection
    private let box: ServerBox
    private let misbehaviour: Misbehaviour
    private var path = ""
    private var body: [UInt8] = []

    init(_ connection: HTTP2Connection, _ box: ServerBox, _ misbehaviour: Misbehaviour) {
        self.connection = connection
        self.box = box
        self.misbehaviour = misbehaviour
    }

    func headersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers, endStream: Bool) {
        path = headers.value(of: ":path") ?? ""
        _ = box.count {
            $0.tenants[headers.value(of: "tollgate-tenant") ?? "", default: 0] += 1
            $0.authorizations.insert(headers.value(of: "authorization") ?? "")
        }
        if isMeter { stream.sendHeaders(Self.okHeaders) }
    }

    private var isMeter: Bool { path.hasSuffix("/Meter") }

    func dataReceived(_ stream: HTTP2Stream, bytes: UnsafeRawBufferPointer, endStream: Bool) {
        stream.consume(bytes.count)
        body += bytes
        if isMeter { return meter(stream, endStream: endStream) }
        if endStream { answer(stream) }
    }

    func trailersReceived(_ stream: HTTP2Stream, headers: HTTP2Headers) {}
    func headersTooLarge(_ stream: HTTP2Stream, endStream: Bool) {}
    func streamWritable(_ stream: HTTP2Stream) {}
    func streamClosed(_ stream: HTTP2Stream, errorCode: UInt32) {}

    // MARK: Answers

    private func answer(_ stream: HTTP2Stream) {
        var answer = framed(self.answer(to: Array(body[5...])))
        var headers = Self.okHeaders
        var trailers = Self.okTrailers
        switch misbehaviour {
        case .nothing, .wrongAmount, .replays: break
        case .refuses: trailers = Self.refusal
        case .overloads: trailers = Self.overload
        case .givesUp: trailers = Self.lateness
        case .unavailable: headers = Self.unavailableHeaders
        case .truncates: answer.removeLast(3)
        case .emptyAnswer: answer = []
        case .resets: return stream.reset(errorCode: HTTP2ErrorCode.internalError)
        case .disconnects: return connection.close()
        case .drains: connection.startDrain(graceNs: nil)
        }
        stream.respond(headers: headers, body: answer, trailers: trailers)
    }

    private func answer(to message: [UInt8]) -> [UInt8] {
        switch path.split(separator: "/").last {
        case "Reserve": try! reserve(ReserveRequest(wireBytes: message)).wireBytes()
        case "Commit": try! commit(CommitRequest(wireBytes: message)).wireBytes()
        case "Batch":
            BatchResponse.with { response in
                response.results = try! BatchRequest(wireBytes: message).steps.map(result)
            }.wireBytes()
        case "GetBalance":
            GetBalanceResponse.with {
                $0.balance = .with { balance in
                    balance.availableMicros = 30 + (misbehaviour == .wrongAmount ? 1 : 0)
                    balance.heldMicros = 4
                    balance.byKind = [
                        .with { $0.availableMicros = 10 },
                        .with {
                            $0.availableMicros = 20
                            $0.heldMicros = 4
                        },
                    ]
                }
            }.wireBytes()
        default: message
        }
    }

    /// Answers what is whole, the last first: only the tags tell which is which.
    private func meter(_ stream: HTTP2Stream, endStream: Bool) {
        var answers: [[UInt8]] = []
        while body.count >= 5 {
            let length = body[1..<5].reduce(0) { $0 << 8 | Int($1) }
            guard body.count >= 5 + length else { break }
            let request = try! MeterRequest(wireBytes: Array(body[5..<5 + length]))
            body.removeFirst(5 + length)
            answers.append(
                framed(
                    MeterResponse.with {
                        $0.tag = request.tag
                        $0.result = result(of: request.step ?? Step())
                    }.wireBytes()))
        }
        switch misbehaviour {
        case .refuses: return stream.sendTrailers(Self.refusal)
        case .resets: return stream.reset(errorCode: HTTP2ErrorCode.internalError)
        case .disconnects: return connection.close()
        default: break
        }
        for answer in answers.reversed() { stream.sendData(answer) }
        if endStream { stream.sendTrailers(Self.okTrailers) }
    }

    private func result(of step: Step) -> StepResult {
        switch step.kind {
        case .reserve(let request): .with { $0.kind = .reserve(reserve(request)) }
        case .commit(let request): .with { $0.kind = .commit(commit(request)) }
        default: StepResult()
        }
    }

    private func reserve(_ request: ReserveRequest) -> ReserveResponse {
        _ = box.count {
            $0.ids.insert(request.reservationID)
            $0.open.insert(request.reservationID)
        }
        return .with { answer in
            answer.reservation = .with {
                $0.reservationID = request.reservationID
                $0.state = .open
                $0.heldMicros = price(request.quantities)
            }
            answer.balance = .with { $0.availableMicros = 1 }
            answer.replayed = misbehaviour == .replays
            answer.reservedMicros = price(request.quantities)
        }
    }

    private func commit(_ request: CommitRequest) -> CommitResponse {
        _ = box.count { $0.open.remove(request.reservationID) }
        return .with { answer in
            answer.reservation = .with {
                $0.reservationID = request.reservationID
                $0.state = .committed
                $0.committedMicros = price(request.quantities)
            }
            answer.balance = .with { $0.availableMicros = 1 }
            answer.replayed = misbehaviour == .replays
            answer.chargedMicros = price(request.quantities)
        }
    }

    private func price(_ quantities: [String: Int64]) -> Int64 {
        (quantities["context_tokens"] ?? 0) * 1_000 + (quantities["generated_tokens"] ?? 0) * 5_000
            + (misbehaviour == .wrongAmount ? 1 : 0)
    }

    private func framed(_ message: [UInt8]) -> [UInt8] {
        [0] + (0..<4).map { UInt8(truncatingIfNeeded: message.count >> (24 - $0 * 8)) } + message
    }

    private static func constant(_ name: String, _ value: String) -> HTTP2ConstantHeaders {
        var headers = HTTP2Headers()
        headers.add(name: name, value: value)
        return HTTP2ConstantHeaders(headers)
    }
}

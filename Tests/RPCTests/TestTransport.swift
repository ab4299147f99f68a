import HTTP2
import Protobuf
import RPC

/// What a caller sees of a call, in order.
enum CallEvent: Sendable {
    case initialMetadata(Metadata)
    case message(EchoMessage)
    /// The status; the last event.
    case end(RPCStatusCode, message: String, trailers: Metadata, details: [ProtoAny])
    /// The call went without a status.
    case lost
}

/// One call of a test, as its caller holds it. The server's side of it is in the process or behind a socket.
protocol TestCall: Sendable {
    /// What comes back.
    var events: AsyncStream<CallEvent> { get }
    /// Sends a request message, framed.
    func send(framed: [UInt8])
    /// Says that no request follows.
    func end()
    /// Gives the call up.
    func cancel()
}

/// All that came back of a call.
struct Answer: Sendable {
    var initialMetadata = Metadata()
    var messages: [EchoMessage] = []
    /// Nil where the call was lost without a status.
    var code: RPCStatusCode?
    var message = ""
    var trailers = Metadata()
    var details: [ProtoAny] = []
}

extension TestCall {
    /// Sends a request message.
    func send(_ message: EchoMessage) { send(framed: MessageFraming.frame(message.wireBytes())) }

    /// Waits for the call's end.
    func answer() async -> Answer {
        var answer = Answer()
        for await event in events {
            switch event {
            case .initialMetadata(let metadata): answer.initialMetadata = metadata
            case .message(let message): answer.messages.append(message)
            case .end(let code, let message, let trailers, let details):
                (answer.code, answer.message, answer.trailers, answer.details) = (code, message, trailers, details)
            case .lost: break
            }
        }
        return answer
    }
}

/// Ways from a test to a server: the same test runs over each.
enum TransportKind: CaseIterable, Sendable {
    case inProcess
    case socket
}

/// A server with the echo service, and a way to call it. `stop()` ends both.
protocol TestServer: Sendable {
    /// The service that answers.
    var echo: EchoService { get }
    /// Begins a call.
    func open(_ method: MethodDescriptor, metadata: Metadata, timeoutNs: Int64?) async -> any TestCall
    /// Ends everything.
    func stop() async
}

extension TestServer {
    /// A whole call: its requests, and what comes back.
    func call(
        _ method: MethodDescriptor, _ requests: [EchoMessage], metadata: Metadata = Metadata(), timeoutNs: Int64? = nil
    ) async -> Answer {
        let call = await open(method, metadata: metadata, timeoutNs: timeoutNs)
        for request in requests { call.send(request) }
        call.end()
        return await call.answer()
    }

    /// A whole call with one request.
    func call(_ method: MethodDescriptor, _ text: String, count: Int64 = 0) async -> Answer {
        await call(
            method,
            [
                .with {
                    $0.text = text
                    $0.count = count
                }
            ])
    }
}

/// Runs a test's body against a server over one transport, and ends the server whatever happens.
func withServer<Result>(
    _ kind: TransportKind, interceptors: [any ServerInterceptor] = [],
    configure: (inout RPCServerConfiguration) -> Void = { _ in }, _ body: (any TestServer) async throws -> Result
) async throws -> Result {
    var configuration = RPCServerConfiguration()
    configure(&configuration)
    let server: any TestServer =
        switch kind {
        case .inProcess: try InProcessServer(configuration, interceptors)
        case .socket: try await SocketServer(configuration, interceptors)
        }
    do {
        let result = try await body(server)
        await server.stop()
        return result
    } catch {
        await server.stop()
        throw error
    }
}

/// Waits until something is so; a test's time limit ends a wait in vain.
func eventually(_ condition: () -> Bool) async throws {
    while !condition() { try await Task.sleep(for: .milliseconds(2)) }
}

import HTTP2
import Protobuf
import RPC

/// A channel for a test, ended with it. Its waits are short, so that nothing has to be slow to be seen.
func withChannel<Result>(
    _ endpoints: [Endpoint], configure: (inout ClientConfiguration) -> Void = { _ in },
    _ body: (ClientChannel) async throws -> Result
) async throws -> Result {
    var configuration = ClientConfiguration()
    configuration.backoff = BackoffPolicy(initial: .milliseconds(10), maximum: .milliseconds(50))
    configure(&configuration)
    let loop = try EventLoop(name: "test-channel")
    try loop.start()
    let channel = ClientChannel(endpoints: endpoints, configuration: configuration, loop: loop)
    defer {
        channel.close()
        loop.stop()
        loop.join()
    }
    return try await body(channel)
}

/// A real server with the echo service, and where it is. Whoever made it stops it.
struct EchoServer {
    let echo = EchoService()
    let server: RPCServer
    let endpoint: Endpoint

    init(port: UInt16 = 0, configure: (inout RPCServerConfiguration) -> Void = { _ in }) throws {
        let registry = ServiceRegistry()
        echo.register(in: registry)
        var configuration = RPCServerConfiguration()
        configuration.port = Int(port)
        configure(&configuration)
        server = RPCServer(registry: registry, configuration: configuration)
        endpoint = Endpoint(host: "127.0.0.1", port: UInt16(try server.start().port))
    }

    func stop() { server.stop() }
}

extension ClientChannel {
    /// A unary call with a text.
    func say(
        _ text: String, _ method: MethodDescriptor = EchoService.direct, options: CallOptions = CallOptions()
    ) async throws(RPCError) -> String {
        let answer: EchoMessage = try await unary(method, EchoMessage.with { $0.text = text }, options: options)
        return answer.text
    }

    /// How a unary call with a text failed; nil where it did not.
    func failure(
        _ text: String = "x", _ method: MethodDescriptor = EchoService.direct, options: CallOptions = CallOptions()
    ) async -> RPCError? {
        do throws(RPCError) {
            _ = try await say(text, method, options: options)
            return nil
        } catch {
            return error
        }
    }
}

/// Waits until something holds; what never does ends in the test's time limit.
func eventually(_ condition: () async -> Bool) async throws {
    while await !condition() { try await Task.sleep(for: .milliseconds(2)) }
}

import HTTP2
import Locks
import Protobuf
import RPC
import Testing

/// Who was let in once is let in again without being asked for, until something changed.
@Suite(.timeLimit(.minutes(1))) struct AdmissionTests {
    private func call(_ server: SocketServer, _ fields: [(name: String, value: String)]) async -> RPCStatusCode? {
        let call = await server.open([(":path", EchoService.direct.path)] + fields)
        call.send(.with { $0.text = "hello" })
        call.end()
        return await call.answer().code
    }

    @Test func theSameHeadersAreAskedForOnceInAnEpoch() async throws {
        let gate = Gate()
        let server = try await SocketServer(RPCServerConfiguration(), [gate])
        for _ in 0..<3 { #expect(await call(server, [("x-key", "one")]) == .ok) }
        #expect(gate.asked == ["one"])
        #expect(await call(server, [("x-key", "two")]) == .ok)
        #expect(await call(server, [("x-key", "one"), ("x-other", "1")]) == .ok)
        #expect(gate.asked == ["one", "two", "one"])
        gate.beginEpoch()
        for _ in 0..<2 { #expect(await call(server, [("x-key", "one")]) == .ok) }
        #expect(gate.asked == ["one", "two", "one", "one"])
        // Each call had the principal of its own headers.
        #expect(gate.principals == ["one", "one", "one", "two", "one", "one", "one"])
        await server.stop()
    }

    @Test func aKeyThatIsTakenBackCountsForTheNextCall() async throws {
        let gate = Gate()
        let server = try await SocketServer(RPCServerConfiguration(), [gate])
        for _ in 0..<2 { #expect(await call(server, [("x-key", "one")]) == .ok) }
        gate.refuse("one")
        for _ in 0..<2 { #expect(await call(server, [("x-key", "one")]) == .permissionDenied) }
        // Who is refused is asked for each time.
        #expect(gate.asked == ["one", "one", "one"])
        await server.stop()
    }

    @Test func oneThatMustBeAskedForHasAllAskedFor() async throws {
        let gate = Gate()
        let other = RecordingInterceptor("other")
        let server = try await SocketServer(RPCServerConfiguration(), [gate, other])
        for _ in 0..<2 { #expect(await call(server, [("x-key", "one")]) == .ok) }
        #expect(gate.asked == ["one", "one"])
        await server.stop()
    }

    @Test func manyHeadersAreToldApart() async throws {
        let gate = Gate()
        let server = try await SocketServer(RPCServerConfiguration(), [gate])
        let keys = (0..<200).map { "key-\($0)" }
        for _ in 0..<2 {
            for key in keys { #expect(await call(server, [("x-key", key)]) == .ok) }
        }
        #expect(gate.principals == keys + keys)
        // Too long a block is not remembered.
        let long = String(repeating: "k", count: 2_000)
        for _ in 0..<2 { #expect(await call(server, [("x-key", long)]) == .ok) }
        #expect(gate.asked.filter { $0 == long }.count == 2)
        await server.stop()
    }
}

/// Lets calls in by their `x-key`, which it makes the principal, but for those that it was told to refuse.
private final class Gate: ServerInterceptor {
    private final class Key: Sendable {
        let text: String
        init(_ text: String) { self.text = text }
    }

    private struct State {
        var epoch: UInt64 = 1
        var refused: Set<String> = []
        var asked: [String] = []
        var principals: [String] = []
    }

    private let state = Protected(State())

    var asked: [String] { state.withLock { $0.asked } }
    var principals: [String] { state.withLock { $0.principals } }
    var admissionEpoch: UInt64? { state.withLock { $0.epoch } }

    func beginEpoch() { state.withLock { $0.epoch += 1 } }

    func refuse(_ key: String) {
        state.withLock { state in
            state.refused.insert(key)
            state.epoch += 1
        }
    }

    func admit(_ context: ServerContext) throws(RPCError) {
        let key = context.metadata("x-key") ?? ""
        let isRefused = state.withLock { state in
            state.asked.append(key)
            return state.refused.contains(key)
        }
        if isRefused { throw RPCError(code: .permissionDenied, message: "refused") }
        context.setPrincipal(Key(key))
    }

    func finished(_ context: ServerContext, code: RPCStatusCode, durationNs: Int64) {
        if let key = context.principal(as: Key.self) { state.withLock { $0.principals.append(key.text) } }
    }
}

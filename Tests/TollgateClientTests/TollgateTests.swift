import Protobuf
import RPC
import Testing

@testable import TollgateClient

/// The client over a real connection, to a service that answers with what it was sent.
@Suite(.timeLimit(.minutes(1))) struct TollgateTests {
    /// Answers every reservation with the caller's metadata as its labels.
    private struct Mirror: MeteringService {
        func reserve(_ request: ReserveRequest, call: DirectCall<ReserveResponse>) {
            call.respond(
                .with { response in
                    response.reservation = .with {
                        $0.reservationID = request.reservationID
                        for name in ["authorization", "tollgate-tenant", "tollgate-actor"] {
                            $0.labels[name] = call.context.metadata[name]
                        }
                    }
                })
        }
    }

    private func start() throws -> (server: RPCServer, address: String) {
        let registry = ServiceRegistry()
        Mirror().register(in: registry)
        let server = RPCServer(registry: registry)
        return (server, "\(try server.start())")
    }

    @Test func keyTenantAndActorGoWithEveryCall() async throws {
        let (server, address) = try start()
        defer { server.stop() }
        let tollgate = try Tollgate(address, key: "tg_secret", tenant: "acme", actor: "ann")
        defer { tollgate.close() }
        let answer = try await tollgate.reserve(amountMicros: 7)
        #expect(
            answer.reservation?.labels == [
                "authorization": "Bearer tg_secret", "tollgate-tenant": "acme", "tollgate-actor": "ann",
            ])
    }

    @Test func whatTheServerDoesNotServeIsUnimplemented() async throws {
        let (server, address) = try start()
        defer { server.stop() }
        let tollgate = try Tollgate(address, key: "k")
        defer { tollgate.close() }
        await #expect { try await tollgate.release("r") } throws: { ($0 as? RPCError)?.code == .unimplemented }
        await #expect { try await tollgate.balance() } throws: { ($0 as? RPCError)?.code == .unimplemented }
    }

    @Test func aStepOutlivesTheRestartOfItsServer() async throws {
        let (first, address) = try start()
        let retries = RetryPolicy(maxAttempts: 100, initialBackoff: .milliseconds(5), maxBackoff: .milliseconds(20))
        var configuration = ClientConfiguration()
        configuration.backoff = BackoffPolicy(initial: .milliseconds(5), maximum: .milliseconds(20))
        let tollgate = try Tollgate(address, key: "k", retries: retries, configuration: configuration)
        defer { tollgate.close() }
        _ = try await tollgate.reserve(amountMicros: 1)
        first.stop()
        let step = Task { try await tollgate.reserve(amountMicros: 1, id: "the-same") }
        let registry = ServiceRegistry()
        Mirror().register(in: registry)
        var same = RPCServerConfiguration()
        same.port = Int(Endpoint(address)!.port)
        let second = RPCServer(registry: registry, configuration: same)
        _ = try second.start()
        defer { second.stop() }
        #expect(try await step.value.reservation?.reservationID == "the-same")
    }

    @Test(arguments: ["", "nonsense:port", "a:1,,b:2", "a b"])
    func serversThatCannotBeReadAreRefused(servers: String) {
        #expect { try Tollgate(servers, key: "k") } throws: { ($0 as? RPCError)?.code == .invalidArgument }
    }

    @Test func aKeyThatCannotBeSentIsRefusedWithoutBeingShown() {
        #expect {
            try Tollgate("localhost:1", key: "secret\u{e9}")
        } throws: { error in
            guard let error = error as? RPCError else { return false }
            return error.code == .invalidArgument && !"\(error)".contains("secret")
        }
    }

    @Test func requestsHoldWhatWasSaid() async throws {
        let channel = FakeChannel { call, _ throws(RPCError) in meteringAnswer(call) }
        let tollgate = Tollgate(channel: channel)
        _ = try await tollgate.reserve(
            feature: "chat", quantities: ["out": 3], quality: .best, actor: "ann", ttl: .milliseconds(1_500),
            comment: "c",
            labels: ["k": "v"], minimumMicros: 4, id: "i", timeout: .seconds(3))
        let request = channel.made[0].request(ReserveRequest.self)
        #expect(request.reservationID == "i" && request.quality == .best && request.comment == "c")
        #expect(request.ttl?.duration == .milliseconds(1_500) && request.labels == ["k": "v"])
        #expect(request.minimumMicros == 4 && request.amountMicros == 0)
        #expect(channel.made[0].options.timeout == .seconds(3))
        _ = try await tollgate.reserve(
            amountMicros: 8, feature: "label", actor: "bob", ttl: .seconds(2), minimumMicros: 5)
        let plain = channel.made[1].request(ReserveRequest.self)
        #expect(
            plain.amountMicros == 8 && plain.feature == "label" && plain.quantities.isEmpty && plain.minimumMicros == 5)
        #expect(try await tollgate.balance().availableMicros == 42)
    }
}

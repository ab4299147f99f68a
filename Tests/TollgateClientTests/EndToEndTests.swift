import Foundation
import Locks
import Protobuf
import RPC
import Synchronization
import Testing
import Tollgate

@testable import TollgateClient

/// The client against the server itself.
@Suite(.timeLimit(.minutes(2))) struct EndToEndTests {
    /// A server on a data directory of its own, which may be ended and begun again.
    private final class Host: Sendable {
        let directory: URL
        let rootKey: String
        private let running: Protected<(server: TollgateServer, port: Int)>

        init() throws {
            directory = FileManager.default.temporaryDirectory.appending(path: "tollgate-client-\(UUIDv7.make())")
            rootKey = try DataDirectoryInit.create(path: directory.path)
            running = Protected(try Self.start(directory, port: 0))
        }

        var address: String { "127.0.0.1:\(running.withLock { $0.port })" }

        private static func start(_ directory: URL, port: Int) throws -> (TollgateServer, Int) {
            var configuration = ServerConfiguration(dataPath: directory.path)
            configuration.port = port
            let server = try TollgateServer(configuration, log: Logger { _ in })
            return (server, try server.start().port)
        }

        /// Ends the server in peace and begins it again where it was.
        func restart() async throws {
            let (server, port) = running.withLock { ($0.server, $0.port) }
            await Self.shutDown(server)
            let next = try Self.start(directory, port: port)
            running.withLock { $0 = next }
        }

        func stop() async {
            await Self.shutDown(running.withLock { $0.server })
            try? FileManager.default.removeItem(at: directory)
        }

        /// It blocks, which no task of the pool may.
        private static func shutDown(_ server: TollgateServer) async {
            await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    server.shutDown(graceMs: 10_000)
                    continuation.resume()
                }
            }
        }
    }

    /// A running server with a tenant that has 1,000 credits, and a client with a key of that tenant.
    private func withTenant(_ body: (Host, Tollgate) async throws -> Void) async throws {
        let host = try Host()
        do {
            let root = try Tollgate(host.address, key: host.rootKey)
            _ = try await root.admin.createTenant(.with { $0.tenantID = "acme" })
            try await root.grant(tenant: "acme", kind: .purchased, amountMicros: 1_000_000_000)
            let key = try await root.admin.createKey(
                .with {
                    $0.tenantID = "acme"
                    $0.role = "service"
                })
            root.close()
            var configuration = ClientConfiguration()
            configuration.backoff = BackoffPolicy(initial: .milliseconds(5), maximum: .milliseconds(50))
            let retries = RetryPolicy(
                maxAttempts: 100, initialBackoff: .milliseconds(5), maxBackoff: .milliseconds(100))
            let client = try Tollgate(
                host.address, key: key.key, timeout: .seconds(60), retries: retries, configuration: configuration)
            try await body(host, client)
            client.close()
            await host.stop()
        } catch {
            await host.stop()
            throw error
        }
    }

    @Test func whatIsHeldUsedAndGivenBackAddsUp() async throws {
        try await withTenant { _, tollgate in
            let hold = try await tollgate.reserve(
                feature: "chat", quantities: ["context_tokens": 10, "generated_tokens": 100])
            #expect(hold.balance?.heldMicros == 510_000)
            let id = hold.reservation?.reservationID ?? ""
            let charged = try await tollgate.commit(id, quantities: ["context_tokens": 10, "generated_tokens": 4])
            #expect(charged.chargedMicros == 30_000 && charged.balance?.heldMicros == 0)

            try await tollgate.metered(feature: "chat", quantities: ["generated_tokens": 100]) { use in
                use.report("generated_tokens", 3)
            }
            await #expect(throws: CancellationError.self) {
                try await tollgate.metered(feature: "chat", quantities: ["generated_tokens": 100]) { _ in
                    throw CancellationError()
                }
            }
            try await tollgate.charge(amountMicros: 5_000)
            let balance = try await tollgate.balance()
            #expect(balance.availableMicros == 1_000_000_000 - 30_000 - 15_000 - 5_000 && balance.heldMicros == 0)
        }
    }

    @Test func aRefusalSaysItsReason() async throws {
        try await withTenant { _, tollgate in
            await #expect {
                try await tollgate.reserve(amountMicros: 1_000_000_001)
            } throws: {
                ($0 as? RPCError)?.errorInfo?.reason == "INSUFFICIENT_CREDITS"
            }
        }
    }

    @Test func everyStepCountsOnceWhateverRestartsInBetween() async throws {
        try await withTenant { host, tollgate in
            let calls = 300
            let begun = Counter()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        while begun.next() <= calls {
                            try await tollgate.metered(feature: "chat", quantities: ["generated_tokens": 10]) { use in
                                use.report("generated_tokens", 1)
                            }
                        }
                    }
                }
                for restart in 1...2 {
                    while begun.value < restart * 100 { try await Task.sleep(for: .milliseconds(1)) }
                    try await host.restart()
                }
                try await group.waitForAll()
            }
            let balance = try await tollgate.balance()
            #expect(balance.availableMicros == 1_000_000_000 - Int64(calls) * 5_000 && balance.heldMicros == 0)
        }
    }

    /// Counts from several tasks.
    private final class Counter: Sendable {
        private let count = Atomic<Int>(0)

        var value: Int { count.load(ordering: .relaxed) }

        func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
    }
}

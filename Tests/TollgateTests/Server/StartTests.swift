import Foundation
import Ledger
import Protobuf
import RPC
import Storage
import Testing
import TollgateSchema

@testable import Tollgate

/// What a crash left owed is brought to the books before anybody is served.
@Suite(.timeLimit(.minutes(1))) struct StartTests {
    @Test func whatIsOwedIsBroughtAtTheNextStart() async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "tollgate-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let key = try DataDirectoryInit.create(path: path)
        try leaveOwed(at: path)
        // The second start finds nothing owed, and nothing is there twice.
        for _ in 0..<2 {
            var configuration = ServerConfiguration(dataPath: path)
            configuration.port = 0
            let server = try TollgateServer(configuration, log: Logger { _ in })
            let address = try await started(server)
            var client = ClientConfiguration()
            try client.metadata.add("authorization", "Bearer " + key)
            try client.metadata.add("tollgate-tenant", "acme")
            let channel = ClientChannel(
                endpoints: [Endpoint(host: address.host, port: UInt16(address.port))], configuration: client)
            let trail = try await SettingsClient(channel).listAuditEvents(ListAuditEventsRequest())
            #expect(trail.events.map(\.target) == ["second", "first"])
            #expect(trail.events.map(\.method) == ["tollgate.v1.Admin/CreateKey", "tollgate.v1.Admin/SetMember"])
            await stop(server)
        }
    }

    /// A directory as a crash leaves it right after two changes.
    private func leaveOwed(at path: String) throws {
        let data = try DataDirectory(path: path, create: false)
        defer { data.close() }
        let directory = try Directory(path: data.directory)
        defer { directory.close() }
        let acme = try #require(TenantID("acme"))
        let now = Instant(microseconds: 1)
        let record = TenantRecord(id: acme, plan: "", displayName: "", timeZone: "UTC", createdAt: now)
        _ = try directory.createTenant(record)
        for (method, target) in [(AdminMethods.setMember, "first"), (AdminMethods.createKey, "second")] {
            let step = OwedStep(
                kind: .note, origin: CallOrigin(keyID: "k"), method: method.auditName, target: target)
            _ = try directory.updateTenant(acme) { _, _ in
                step.note(for: acme, at: now)
            } change: {
                $0.displayName = target
            }
        }
    }

    /// To start and to stop blocks, which no task of the pool may.
    private func started(_ server: TollgateServer) async throws -> (host: String, port: Int) {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: Result { () throws(StartupError) in try server.start() }.mapError { $0 })
            }
        }
    }

    private func stop(_ server: TollgateServer) async {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                server.shutDown(graceMs: 10_000)
                continuation.resume()
            }
        }
    }
}

import Engine
import Foundation
import Ledger
import Storage
import Testing

@testable import Tollgate

/// An engine and a directory in a place of their own, on a clock that stands still.
final class EngineWorld: Sendable {
    let directory: Directory
    let engine: Engine
    let clock = ManualClock(Instant(microseconds: 1_767_225_600_000_000))
    let courier: BookCourier
    private let path: String

    init(rules: any BookRules = PlainRules.shared) throws {
        path = FileManager.default.temporaryDirectory.appending(path: "tollgate-\(UUID().uuidString)").path
        let data = try DataDirectory(path: path, create: true)
        directory = try Directory(path: data.directory)
        engine = try Engine(
            journal: try LocalJournal(directory: data.journal), shards: ShardStore(path: data.shards), clock: clock,
            rules: rules, configuration: EngineConfiguration(), observer: Deaf())
        courier = BookCourier(engine: engine, directory: directory, log: Logger { _ in })
        data.close()
    }

    deinit {
        engine.stop()
        directory.close()
        try? FileManager.default.removeItem(atPath: path)
    }

    func tenant(_ id: String) throws -> TenantID {
        let id = try #require(TenantID(id))
        _ = try directory.createTenant(
            TenantRecord(id: id, plan: "", displayName: "", timeZone: "UTC", createdAt: clock.now()))
        return id
    }

    /// The tenant's audit trail, the oldest first.
    func trail(of tenant: TenantID) async throws -> [AuditNote] {
        let page = try await engine.report(tenant: tenant) { (shards, tenant) throws(StorageError) in
            try shards.audit(tenant, query: AuditQuery(limit: 1_000))
        }
        return page.entries.reversed().compactMap(\.audit)
    }
}

/// Hears nothing.
private final class Deaf: EngineObserver {
    func journalHealth(_ error: StorageError?) {}
    func shardsHealth(_ error: StorageError?) {}
    func storageFault(_ error: StorageError, tenant: TenantID?) {}
}

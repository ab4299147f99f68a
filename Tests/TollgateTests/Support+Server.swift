import Foundation
import Ledger
import RPC
import Storage
import Testing
import TollgateSchema

@testable import Tollgate

/// A data directory for servers of one test, one after the other.
final class ServerPlace: Sendable {
    let path: String
    private let rootKey: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "tollgate-\(UUID().uuidString)").path
        rootKey = try DataDirectoryInit.create(path: path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The directory of the place while no server is there.
    func withDirectory(_ body: (Directory) throws -> Void) throws {
        let data = try DataDirectory(path: path, create: false)
        defer { data.close() }
        let directory = try Directory(path: data.directory)
        defer { directory.close() }
        try body(directory)
    }

    /// Runs `body` while a server is there whose journal can be held, with a tenant that has 100 micros and is named.
    static func withHeldJournal(_ body: (ClientChannel, HeldJournal) async throws -> Void) async throws {
        let place = try ServerPlace()
        let id = try #require(TenantID("acme"))
        let tenant = TenantRecord(
            id: id, plan: "", displayName: "", timeZone: "UTC", createdAt: Instant(microseconds: 1))
        try place.withDirectory { _ = try $0.createTenant(tenant) }
        var held: HeldJournal?
        try await place.withServer(tenant: "acme") { journal in
            let made = HeldJournal(journal)
            held = made
            return made
        } _: { channel in
            let journal = try #require(held)
            defer { journal.letGo() }
            var grant = GrantCreditsRequest()
            (grant.grantID, grant.tenantID, grant.amountMicros) = ("01900000-0000-7000-8000-000000000000", "acme", 100)
            grant.kind = .purchased
            _ = try await AdminClient(channel).grantCredits(grant)
            try await body(channel, journal)
        }
    }

    /// Runs `body` while a server is there, with connections that have the root key and name a tenant.
    func withServer(
        catalog: String? = nil, tenant: String, journal: (LocalJournal) -> any Journal = { $0 },
        _ body: (ClientChannel) async throws -> Void
    ) async throws {
        var configuration = ServerConfiguration(dataPath: path)
        configuration.port = 0
        if let catalog {
            configuration.catalogPath = path + "/catalog.json"
            try Data(catalog.utf8).write(to: URL(filePath: path + "/catalog.json"))
        }
        let server = try TollgateServer(configuration, log: Logger { _ in }, journal: journal)
        let port = try await Self.blocking { () throws(StartupError) in try server.start().port }.get()
        var client = ClientConfiguration()
        try client.metadata.add("authorization", "Bearer " + rootKey)
        try client.metadata.add("tollgate-tenant", tenant)
        let channel = ClientChannel(
            endpoints: [Endpoint(host: "127.0.0.1", port: UInt16(port))], configuration: client)
        let outcome: Result<Void, any Error>
        do {
            outcome = .success(try await body(channel))
        } catch {
            outcome = .failure(error)
        }
        _ = await Self.blocking { server.shutDown(graceMs: 10_000) }
        try outcome.get()
    }

    /// To start and to stop blocks, which no task of the pool may.
    private static func blocking<Value: Sendable, Failure: Error>(
        _ body: @escaping @Sendable () throws(Failure) -> Value
    ) async -> Result<Value, Failure> {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                let outcome: Result<Value, Failure>
                do throws(Failure) {
                    outcome = .success(try body())
                } catch {
                    outcome = .failure(error)
                }
                continuation.resume(returning: outcome)
            }
        }
    }
}

/// A journal whose batches wait before anything of them is written, from `hold` to `letGo` or `fail`.
///
/// `@unchecked Sendable`: what changes is guarded by `condition`.
final class HeldJournal: Journal, @unchecked Sendable {
    private let base: LocalJournal
    private let condition = NSCondition()
    private var isHeld = false
    private var waiting = 0
    /// Whether the batches that wait are not written.
    private var fails = false

    init(_ base: LocalJournal) { self.base = base }

    func hold() { condition.withLock { isHeld = true } }

    func letGo() { end(failing: false) }

    /// The batch that waits comes to nothing; those after it are written.
    func fail() { end(failing: true) }

    private func end(failing: Bool) {
        condition.withLock {
            isHeld = false
            fails = failing
            condition.broadcast()
        }
    }

    /// Whether a batch waits.
    var isAsked: Bool { condition.withLock { waiting > 0 } }

    func append(_ batch: borrowing JournalBatch) throws(StorageError) {
        let comesToNothing = condition.withLock {
            waiting += 1
            while isHeld { condition.wait() }
            waiting -= 1
            defer { fails = false }
            return fails
        }
        if comesToNothing { throw .system(operation: "fdatasync", path: "journal", errno: 5) }
        try base.append(batch)
    }

    var durablePosition: UInt64 { base.durablePosition }
    var firstPosition: UInt64 { base.firstPosition }
    var byteCount: Int64 { base.byteCount }

    func replay(
        after position: UInt64,
        _ body: (_ position: UInt64, _ tenant: TenantID, _ record: UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        try base.replay(after: position, body)
    }

    func trim(through position: UInt64) throws(StorageError) { try base.trim(through: position) }

    func close() { base.close() }
}

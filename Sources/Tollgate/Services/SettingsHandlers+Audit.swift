import Engine
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// The audit trail: the entries of the tenant's book that say who did something, or was refused something.
extension SettingsHandlers {
    func listAuditEvents(
        _ request: ListAuditEventsRequest, context: ServerContext
    ) async throws -> ListAuditEventsResponse {
        let access = try context.tenantAccess()
        let query = try checked { () throws(InvalidField) in try AuditQuery(request) }
        // What was changed before the call shows, also where the book could not be told of it then.
        await courier.tryToDeliver(to: access.tenant)
        let page = try await engine.report(tenant: access.tenant) { (shards, tenant) throws(StorageError) in
            try shards.audit(tenant, query: query)
        }
        return .with {
            $0.events = page.entries.compactMap { AuditEvent($0) }
            $0.nextPageToken = page.next.map { PageCursor.number($0).token(of: .auditEvents) } ?? ""
        }
    }
}

extension AuditQuery {
    fileprivate init(_ request: ListAuditEventsRequest) throws(InvalidField) {
        let start = try FieldCheck.optionalInstant(request.startTime, "start_time")
        let end = try FieldCheck.optionalInstant(request.endTime, "end_time")
        try FieldCheck.range(start: start, end: end)
        try FieldCheck.name(request.actor, "actor", maxBytes: Limits.maxActorBytes)
        self.init(
            before: try numberCursor(request.pageToken, of: .auditEvents), from: start, to: end,
            actor: request.actor.isEmpty ? nil : request.actor, limit: try FieldCheck.pageSize(request.pageSize))
    }
}

extension AuditEvent {
    /// Nil for an entry that the audit trail says nothing of.
    init?(_ entry: Entry) {
        guard let note = entry.audit else { return nil }
        self.init()
        // A step has one entry; what came by itself goes by its place.
        let own = entry.kind == .note ? entry.key?.id : nil
        eventID = (own ?? StepID.derived(at: entry.at, sequence: entry.sequence)).description
        time = .init(entry.at)
        sequence = entry.sequence
        keyID = note.origin.keyID
        actor = note.origin.actor
        address = note.origin.address
        forwardedFor = note.origin.forwardedFor
        method = note.method
        target = note.target
        beforeJSON = note.before
        afterJSON = note.after
        reason = note.reason
        outcome = AuditOutcome(rawValue: Int32(note.outcome.rawValue))
        refusal = note.refusal
        notNoted = Int64(note.notNoted)
    }
}

import Engine
import Foundation
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// The keys that open tenants.
extension AdminHandlers {
    func createKey(_ request: CreateKeyRequest, context: ServerContext) async throws -> CreateKeyResponse {
        let caller = request.tenantID.isEmpty ? nil : try tenant(request.tenantID, context).access
        if caller == nil { try requireUnbound(context) }
        try checked { () throws(InvalidField) in
            try FieldCheck.name(request.name, "name", maxBytes: Limits.maxDisplayNameBytes)
        }
        guard let permissions = catalog.permissions(of: request.role) else {
            throw RPCError(unknownRole)
        }
        // Nobody makes a key that may what they may not, or an administrator of one tenant could become that of all.
        let own = try caller?.permissions ?? context.principal().permissions
        if let lacking = permissions.subtracting(own).names.first {
            let principal = try context.principal()
            throw principal.refuse(lacking, in: caller?.tenant, context.method, principal.origin(from: context.peer))
        }
        guard let key = APIKey.generate() else {
            throw RPCError(code: .internal, message: "the system has no randomness to give")
        }
        let record = KeyRecord(
            keyID: UUID().uuidString.lowercased(), tenant: caller?.tenant, role: request.role, name: request.name,
            digest: key.digest, createdAt: engine.now)
        let owed = caller.map { caller in
            OwedStep(
                kind: .note, origin: caller.origin, method: context.method.auditName, target: record.keyID,
                after: record.auditJSON
            ).note(for: caller.tenant, at: record.createdAt)
        }
        try stored { () throws(StorageError) in try directory.createKey(record, note: owed) }
        if let caller {
            await courier.tryToDeliver(to: caller.tenant)
        } else {
            courier.tell(
                "a key for all tenants was made", by: try context.principal().origin(from: context.peer), record.keyID)
        }
        return .with {
            $0.keyID = record.keyID
            $0.key = key.text
            $0.info = KeyInfo(record)
        }
    }

    func revokeKey(_ request: RevokeKeyRequest, context: ServerContext) async throws -> RevokeKeyResponse {
        let principal = try context.principal()
        guard let record = directory.key(request.keyID),
            principal.boundTenant == nil || record.tenant == principal.boundTenant
        else { throw RPCError(.notFound, .keyNotFound, "there is no such key") }
        let caller = try record.tenant.map { (tenant) throws(RPCError) in try access.enter(tenant, context).access }
        let now = engine.now
        let owed = caller.map { caller in
            OwedStep(
                kind: .note, origin: caller.origin, method: context.method.auditName, target: record.keyID,
                before: record.auditJSON
            ).note(for: caller.tenant, at: now)
        }
        let revoked = try stored { () throws(StorageError) in
            try directory.revokeKey(record.keyID, at: now, note: owed)
        }
        if let caller {
            await courier.tryToDeliver(to: caller.tenant)
        } else {
            courier.tell("a key for all tenants was revoked", by: principal.origin(from: context.peer), record.keyID)
        }
        return .with { $0.info = KeyInfo(revoked ?? record) }
    }

    func listKeys(_ request: ListKeysRequest, context: ServerContext) async throws -> ListKeysResponse {
        let principal = try context.principal()
        let only = request.tenantID.isEmpty ? principal.boundTenant : try tenant(request.tenantID, context).record.id
        let (size, after) = try checked { () throws(InvalidField) in
            (try FieldCheck.pageSize(request.pageSize), try numberCursor(request.pageToken, of: .keys))
        }
        let all = only.map { directory.keys($0) } ?? directory.allKeys()
        let start = min(all.count, Int(clamping: after ?? 0))
        let page = all[start...].prefix(size)
        return .with {
            $0.keys = page.map { KeyInfo($0) }
            if page.endIndex < all.count {
                $0.nextPageToken = PageCursor.number(UInt64(page.endIndex)).token(of: .keys)
            }
        }
    }

    /// Says which roles there are.
    var unknownRole: InvalidField {
        InvalidField("role", "must be one of \(catalog.roles.keys.sorted().joined(separator: ", "))")
    }
}

extension KeyRecord {
    fileprivate var auditJSON: String { AuditJSON.object(["role": role, "name": name]) }
}

extension KeyInfo {
    init(_ record: KeyRecord) {
        self.init()
        keyID = record.keyID
        tenantID = record.tenant?.description ?? ""
        role = record.role
        name = record.name
        createTime = .init(record.createdAt)
        if let revokedAt = record.revokedAt { revokeTime = .init(revokedAt) }
    }
}

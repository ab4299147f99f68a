import Engine
import Foundation
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// `tollgate.v1.Admin`: tenants, grants and keys. A key that is bound to a tenant sees any other as one that does not exist.
struct AdminHandlers: AdminService {
    let engine: Engine
    let directory: Directory
    let catalogs: CatalogKeeper
    let steps = StepReader()
    let access: AccessControl

    /// The catalog in force.
    private var catalog: Catalog { catalogs.current.catalog }

    // MARK: - Tenants

    func createTenant(_ request: CreateTenantRequest, context: ServerContext) async throws -> CreateTenantResponse {
        try requireUnbound(context)
        let tenant = try checked { () throws(InvalidField) in try newTenant(request) }
        let made = try stored { () throws(StorageError) in try directory.createTenant(tenant) }
        return .with {
            $0.tenant = Tenant(made.tenant)
            $0.replayed = made.replayed
        }
    }

    private func newTenant(_ request: CreateTenantRequest) throws(InvalidField) -> TenantRecord {
        let id = try tenantID(request.tenantID)
        try FieldCheck.name(request.plan, "plan", maxBytes: Limits.maxPlanBytes)
        try FieldCheck.name(request.displayName, "display_name", maxBytes: Limits.maxDisplayNameBytes)
        let timeZone = request.timeZone.isEmpty ? "UTC" : request.timeZone
        guard timeZone.utf8.count <= Limits.maxTimeZoneBytes, TimeZone(identifier: timeZone) != nil else {
            throw InvalidField("time_zone", "is no time zone of the IANA database, such as \"Europe/Berlin\"")
        }
        return TenantRecord(
            id: id, plan: request.plan, displayName: request.displayName, timeZone: timeZone, createdAt: engine.now)
    }

    func getTenant(_ request: GetTenantRequest, context: ServerContext) async throws -> GetTenantResponse {
        let record = try tenant(request.tenantID, context).record
        return .with { $0.tenant = Tenant(record) }
    }

    func listTenants(_ request: ListTenantsRequest, context: ServerContext) async throws -> ListTenantsResponse {
        let principal = try context.principal()
        let (size, after) = try checked { () throws(InvalidField) in
            (try FieldCheck.pageSize(request.pageSize), try nameCursor(request.pageToken, of: .tenants))
        }
        if let bound = principal.boundTenant {
            let own = after == nil ? directory.tenant(bound) : nil
            return .with { $0.tenants = own.map { [Tenant($0)] } ?? [] }
        }
        // One more than the page tells whether there is another.
        let found = directory.tenants(after: after.flatMap { TenantID($0) }, limit: size + 1)
        return .with {
            $0.tenants = found.prefix(size).map { Tenant($0) }
            if found.count > size {
                $0.nextPageToken = PageCursor.name(found[size - 1].id.description).token(of: .tenants)
            }
        }
    }

    // MARK: - Grants

    func grantCredits(_ request: GrantCreditsRequest, context: ServerContext) async throws -> GrantCreditsResponse {
        let caller = try optionalTenant(request.tenantID, context)
        let grant = try checked { () throws(InvalidField) in try steps.grant(request, actor: caller.actor) }
        let (answer, replayed) = try answer(of: await engine.submit(.grant(grant), tenant: caller.tenant))
        return .with {
            $0.grant = answer.grant.map { TollgateSchema.Grant($0) }
            $0.balance = StepBalance(answer.balance)
            $0.replayed = replayed
        }
    }

    // MARK: - Keys

    func createKey(_ request: CreateKeyRequest, context: ServerContext) async throws -> CreateKeyResponse {
        let caller = request.tenantID.isEmpty ? nil : try tenant(request.tenantID, context).access
        if caller == nil { try requireUnbound(context) }
        try checked { () throws(InvalidField) in
            try FieldCheck.name(request.name, "name", maxBytes: Limits.maxDisplayNameBytes)
        }
        guard let permissions = catalog.permissions(of: request.role) else {
            throw RPCError(
                InvalidField("role", "must be one of \(catalog.roles.keys.sorted().joined(separator: ", "))"))
        }
        // Nobody makes a key that may what they may not, or an administrator of one tenant could become that of all.
        let own = try caller?.permissions ?? context.principal().permissions
        if let lacking = permissions.subtracting(own).names.first {
            throw try context.principal().refuse(lacking, in: caller?.tenant, context.method, from: context.peer)
        }
        guard let key = APIKey.generate() else {
            throw RPCError(code: .internal, message: "the system has no randomness to give")
        }
        let record = KeyRecord(
            keyID: UUID().uuidString.lowercased(), tenant: caller?.tenant, role: request.role, name: request.name,
            digest: key.digest, createdAt: engine.now)
        try stored { () throws(StorageError) in try directory.createKey(record) }
        return .with {
            $0.keyID = record.keyID
            $0.key = key.text
            $0.info = KeyInfo(record)
        }
    }

    func revokeKey(_ request: RevokeKeyRequest, context: ServerContext) async throws -> RevokeKeyResponse {
        let principal = try context.principal()
        let record = directory.key(request.keyID)
        guard let record, principal.boundTenant == nil || record.tenant == principal.boundTenant else {
            throw RPCError(.notFound, .keyNotFound, "there is no such key")
        }
        if let tenant = record.tenant { _ = try access.enter(tenant, context) }
        let revoked = try stored { () throws(StorageError) in
            try directory.revokeKey(record.keyID, at: engine.now)
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

    // MARK: - Checks

    func requireUnbound(_ context: ServerContext) throws(RPCError) {
        guard try context.principal().boundTenant == nil else {
            throw .permissionMissing(Permission.administer.rawValue)
        }
    }

    private func tenantID(_ text: String) throws(InvalidField) -> TenantID {
        guard let id = TenantID(text) else {
            throw InvalidField("tenant_id", "must be 1 to 63 of a-z, 0-9 and -, not beginning with -")
        }
        return id
    }

    /// The tenant that a request names, and the caller within it.
    private func tenant(
        _ text: String, _ context: ServerContext
    ) throws(RPCError) -> (record: TenantRecord, access: TenantAccess) {
        try access.enter(try checked { () throws(InvalidField) in try tenantID(text) }, context)
    }

    /// The caller within the tenant that a request names, or else within that of its headers.
    private func optionalTenant(_ text: String, _ context: ServerContext) throws(RPCError) -> TenantAccess {
        text.isEmpty ? try context.tenantAccess() : try tenant(text, context).access
    }

    /// The directory's errors as statuses.
    func stored<Value>(_ body: () throws(StorageError) -> Value) throws(RPCError) -> Value {
        do throws(StorageError) {
            return try body()
        } catch {
            if case .conflict(let what) = error { throw RPCError(.alreadyExists, .idReused, what) }
            throw .storageUnavailable("the directory cannot be written: \(error)")
        }
    }
}

/// Where a list that is sorted by name goes on.
func nameCursor(_ token: String, of list: PagedList) throws(InvalidField) -> String? {
    switch try PageCursor(token: token, of: list) {
    case nil: return nil
    case .name(let name): return name
    case .number: throw InvalidField("page_token", "was not given by this list")
    }
}

/// Where a list that is sorted by number goes on.
func numberCursor(_ token: String, of list: PagedList) throws(InvalidField) -> UInt64? {
    switch try PageCursor(token: token, of: list) {
    case nil: return nil
    case .number(let number): return number
    case .name: throw InvalidField("page_token", "was not given by this list")
    }
}

extension Tenant {
    init(_ record: TenantRecord) {
        self.init()
        tenantID = record.id.description
        plan = record.plan
        displayName = record.displayName
        timeZone = record.timeZone
        createTime = Timestamp(record.createdAt)
        subscription = .active
    }
}

extension KeyInfo {
    init(_ record: KeyRecord) {
        self.init()
        keyID = record.keyID
        tenantID = record.tenant?.description ?? ""
        role = record.role
        name = record.name
        createTime = Timestamp(record.createdAt)
        if let revokedAt = record.revokedAt { revokeTime = Timestamp(revokedAt) }
    }
}

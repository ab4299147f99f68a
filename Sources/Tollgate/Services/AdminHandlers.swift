import Engine
import Foundation
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// `tollgate.v1.Admin`: tenants, grants, members and keys. A key that is bound to a tenant sees any other as one that does
/// not exist.
///
/// What is above a book stands in the directory, what is in it changes by steps of the engine. A change of the directory
/// that the book's audit trail tells of is owed to the book from the moment on that it is made (`BookCourier`).
struct AdminHandlers: AdminService {
    let engine: Engine
    let directory: Directory
    let catalogs: CatalogKeeper
    let steps = StepReader()
    let access: AccessControl
    let courier: BookCourier
    let turns = TenantTurns()

    /// The catalog in force.
    var catalog: Catalog { catalogs.current.catalog }

    func getTenant(_ request: GetTenantRequest, context: ServerContext) async throws -> GetTenantResponse {
        let id = try tenant(request.tenantID, context).record.id
        let tenant = try await turns.take(id) { () async throws(RPCError) in try await currentTenant(id) }
        return .with { $0.tenant = tenant }
    }

    func listTenants(_ request: ListTenantsRequest, context: ServerContext) async throws -> ListTenantsResponse {
        let principal = try context.principal()
        let (size, after) = try checked { () throws(InvalidField) in
            (try FieldCheck.pageSize(request.pageSize), try nameCursor(request.pageToken, of: .tenants))
        }
        let now = engine.now
        if let bound = principal.boundTenant {
            let own = after == nil ? directory.tenant(bound) : nil
            return .with { $0.tenants = own.map { [Tenant($0, at: now)] } ?? [] }
        }
        // One more than the page tells whether there is another.
        let found = directory.tenants(after: after.flatMap { TenantID($0) }, limit: size + 1)
        return .with {
            $0.tenants = found.prefix(size).map { Tenant($0, at: now) }
            if found.count > size {
                $0.nextPageToken = PageCursor.name(found[size - 1].id.description).token(of: .tenants)
            }
        }
    }
}

// MARK: - What the handlers share

extension AdminHandlers {
    func requireUnbound(_ context: ServerContext) throws(RPCError) {
        let principal = try context.principal()
        guard let bound = principal.boundTenant else { return }
        throw principal.refuse(
            Permission.administer.rawValue, in: bound, context.method, principal.origin(from: context.peer))
    }

    func tenantID(_ text: String) throws(InvalidField) -> TenantID {
        guard let id = TenantID(text) else {
            throw InvalidField("tenant_id", "must be 1 to 63 of a-z, 0-9 and -, not beginning with -")
        }
        return id
    }

    /// The tenant that a request names, and the caller within it.
    func tenant(
        _ text: String, _ context: ServerContext
    ) throws(RPCError) -> (record: TenantRecord, access: TenantAccess) {
        try access.enter(try checked { () throws(InvalidField) in try tenantID(text) }, context)
    }

    /// The caller within the tenant that a request names, or else within that of its headers.
    func optionalTenant(_ text: String, _ context: ServerContext) throws(RPCError) -> TenantAccess {
        text.isEmpty ? try context.tenantAccess() : try tenant(text, context).access
    }

    func timeZone(_ name: String) throws(InvalidField) -> String {
        guard name.utf8.count <= Limits.maxTimeZoneBytes, TimeZone(identifier: name) != nil else {
            throw InvalidField("time_zone", "is no time zone of the IANA database, such as \"Europe/Berlin\"")
        }
        return name
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

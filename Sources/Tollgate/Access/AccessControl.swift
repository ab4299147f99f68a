import RPC
import Storage
import TollgateSchema

/// Who calls, as the interceptor found out. Calls with the same headers share it.
final class Principal: Sendable {
    let keyID: String
    let role: String
    let permissions: PermissionSet
    /// The tenant that the key is bound to; nil for a key that serves all.
    let boundTenant: TenantID?
    /// The tenant of this call; nil where the call names none of its own.
    let tenant: TenantID?
    /// That tenant's time zone.
    let timeZone: String
    /// The end user on whose behalf the call is made; empty where none was named.
    let actor: String

    init(
        keyID: String, role: String, permissions: PermissionSet, boundTenant: TenantID?, tenant: TenantID?,
        timeZone: String, actor: String
    ) {
        self.keyID = keyID
        self.role = role
        self.permissions = permissions
        self.boundTenant = boundTenant
        self.tenant = tenant
        self.timeZone = timeZone
        self.actor = actor
    }

    func require(_ permission: Permission) throws(RPCError) {
        guard permissions.allows(permission) else { throw .permissionMissing(permission.rawValue) }
    }
}

/// A principal within the tenant that its call is about.
struct TenantAccess: Sendable {
    let principal: Principal
    let tenant: TenantID

    var actor: String { principal.actor }

    func require(_ permission: Permission) throws(RPCError) {
        try principal.require(permission)
    }
}

extension ServerContext {
    /// Who calls. The interceptor lets nobody else through to a handler of ours.
    func principal() throws(RPCError) -> Principal {
        guard let principal = principal(as: Principal.self) else { throw .keyInvalid }
        return principal
    }

    /// Who calls, for a call about one tenant.
    func tenantAccess() throws(RPCError) -> TenantAccess {
        let principal = try principal()
        guard let tenant = principal.tenant else {
            throw RPCError(
                InvalidField(
                    "tollgate-tenant", "is missing: the key serves many tenants, so the metadata must name one"))
        }
        return TenantAccess(principal: principal, tenant: tenant)
    }
}

/// The one place that lets a call in: it checks the key, the tenant and the permission of every call before its handler
/// runs. What a method needs stands in its descriptor, generated from the schema's options; a method without a permission
/// (health, reflection) is open.
///
/// A class, since it is looked at in each call: a structure would be copied with all that it holds.
final class AccessControl: ServerInterceptor {
    private let directory: Directory
    private let catalog: Catalog

    init(directory: Directory, catalog: Catalog) {
        self.directory = directory
        self.catalog = catalog
    }

    /// Who is let in follows from the headers and the directory, as long as the process lives. A key that is revoked or a
    /// tenant that is made begins another generation, and so counts from the next call on.
    var admissionEpoch: UInt64? { directory.generation }
    var observesEnds: Bool { false }

    func admit(_ context: ServerContext) throws(RPCError) {
        let method = context.method
        guard !method.permission.isEmpty else { return }
        let key = try key(context.withHeader("authorization") { KeyDigest(authorization: $0) } ?? nil)
        let tenant = try tenant(context.metadata("tollgate-tenant"), boundTo: key.tenant)
        guard let permissions = catalog.permissions(of: key.role) else {
            throw .permissionMissing(method.permission)
        }
        // A permission that this build does not know is nobody's.
        guard let permission = Permission(rawValue: method.permission), permissions.allows(permission) else {
            throw .permissionMissing(method.permission)
        }
        context.setPrincipal(
            Principal(
                keyID: key.keyID, role: key.role, permissions: permissions, boundTenant: key.tenant,
                tenant: tenant?.id, timeZone: tenant?.timeZone ?? "UTC",
                actor: try actor(context.metadata("tollgate-actor"))))
    }

    private func key(_ digest: KeyDigest?) throws(RPCError) -> KeyRecord {
        guard let digest, let key = directory.key(forHash: digest), key.revokedAt == nil else { throw .keyInvalid }
        return key
    }

    /// The tenant that the call is about, with its time zone where that is known.
    private func tenant(
        _ header: String?, boundTo bound: TenantID?
    ) throws(RPCError) -> (id: TenantID, timeZone: String?)? {
        guard let header, !header.isEmpty else { return bound.map { ($0, directory.tenant($0)?.timeZone) } }
        guard let named = TenantID(header) else {
            throw RPCError(InvalidField("tollgate-tenant", "must be 1 to 63 of a-z, 0-9 and -, not beginning with -"))
        }
        guard bound == nil || bound == named, let record = directory.tenant(named) else { throw .tenantNotFound }
        return (named, record.timeZone)
    }

    private func actor(_ header: String?) throws(RPCError) -> String {
        guard let header else { return "" }
        try checked { () throws(InvalidField) in
            try FieldCheck.name(header, "tollgate-actor", maxBytes: Limits.maxActorBytes)
        }
        return header
    }
}

extension RPCError {
    /// One answer for a key that is missing, malformed, unknown or revoked.
    static var keyInvalid: RPCError {
        RPCError(
            .unauthenticated, .keyInvalid,
            "the metadata authorization must be \"Bearer <key>\" with a key that is valid")
    }
}

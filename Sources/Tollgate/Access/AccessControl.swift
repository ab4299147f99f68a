import RPC
import Storage
import TollgateSchema

/// The one place that lets a call in: it checks the key, the tenant and the permission of every call before its handler
/// runs. What a method needs stands in its descriptor, generated from the schema's options; a method without a permission
/// (health, reflection) is open.
///
/// Where the call is on behalf of an end user and the tenant has members, the end user's role bounds what the key may do.
///
/// A class, since it is looked at in each call: a structure would be copied with all that it holds.
final class AccessControl: ServerInterceptor {
    private let directory: Directory
    private let catalogs: CatalogKeeper
    private let onRefusal: RefusalHook

    /// - Parameter onRefusal: hears of each refusal for want of a permission within a known tenant; must not block.
    init(directory: Directory, catalogs: CatalogKeeper, onRefusal: @escaping RefusalHook) {
        self.directory = directory
        self.catalogs = catalogs
        self.onRefusal = onRefusal
    }

    /// Who is let in follows from the headers and the directory, as long as the process lives. A key that is revoked, a
    /// tenant that is made, a member whose role changes or another catalog begins another generation, and so counts from the
    /// next call on.
    var admissionEpoch: UInt64? { directory.generation }
    var observesEnds: Bool { false }

    func admit(_ context: ServerContext) throws(RPCError) {
        let method = context.method
        guard !method.permission.isEmpty else { return }
        let caller = Caller(
            key: context.withHeader("authorization") { KeyDigest(authorization: $0) } ?? nil,
            tenant: context.metadata("tollgate-tenant"), actor: context.metadata("tollgate-actor"),
            forwardedFor: context.metadata.texts("x-forwarded-for"), peer: context.peer)
        let principal = try admit(caller, calling: method)
        context.setPrincipal(principal)
        // A key that serves all tenants must not be what they all share, and a key's own calls are no tenant's.
        context.setShare(named: principal.tenant.map { "\($0)" } ?? "key " + principal.keyID)
    }

    /// What the headers say of the caller.
    struct Caller {
        var key: KeyDigest?
        var tenant: String?
        var actor: String?
        var forwardedFor: [String] = []
        var peer = ""
    }

    /// Who calls, if the call may be made.
    func admit(_ caller: Caller, calling method: MethodDescriptor) throws(RPCError) -> Principal {
        let key = try key(caller.key)
        let tenant = try tenant(caller.tenant, boundTo: key.tenant)
        let actor = try actor(caller.actor)
        let inForce = catalogs.current
        // A role that the catalog has not, or no longer, may do nothing.
        let own = inForce.catalog.permissions(of: key.role) ?? []
        let principal = Principal(
            keyID: key.keyID, role: key.role, keyPermissions: own,
            permissions: tenant.map { permissions(own, actor: actor, in: $0.id) } ?? own, boundTenant: key.tenant,
            tenant: tenant?.id, timeZone: tenant?.timeZone ?? "UTC",
            prices: inForce.prices(for: tenant?.id), actor: actor,
            forwardedFor: ForwardedFor.text(caller.forwardedFor), refusals: onRefusal)
        guard principal.permissions.allows(method) else {
            throw principal.refuse(method.permission, in: tenant?.id, method, principal.origin(from: caller.peer))
        }
        return principal
    }

    /// The caller within a tenant that the request names itself, whatever the headers name: what was let in for one tenant
    /// need not be for another, where the end user has another role. TENANT_NOT_FOUND for one that the key may not see.
    func enter(
        _ tenant: TenantID, _ context: ServerContext
    ) throws(RPCError) -> (record: TenantRecord, access: TenantAccess) {
        try enter(tenant, try context.principal(), calling: context.method, from: context.peer)
    }

    func enter(
        _ tenant: TenantID, _ principal: Principal, calling method: MethodDescriptor, from peer: String
    ) throws(RPCError) -> (record: TenantRecord, access: TenantAccess) {
        guard principal.boundTenant == nil || principal.boundTenant == tenant, let record = directory.tenant(tenant)
        else { throw .tenantNotFound }
        let permissions = permissions(principal.keyPermissions, actor: principal.actor, in: tenant)
        let origin = principal.origin(from: peer)
        guard permissions.allows(method) else {
            throw principal.refuse(method.permission, in: tenant, method, origin)
        }
        return (record, TenantAccess(principal: principal, tenant: tenant, permissions: permissions, origin: origin))
    }

    /// What a key may do on behalf of an end user. To meter is what services do for whoever comes, member or not; all else
    /// takes a role that may.
    private func permissions(_ key: PermissionSet, actor: String, in tenant: TenantID) -> PermissionSet {
        if actor.isEmpty { return key }
        switch directory.standing(of: MemberID(actor), in: tenant) {
        case .noMembers: return key
        case .stranger: return key.intersection(.meter)
        case .member(let role):
            return key.intersection((catalogs.current.catalog.permissions(of: role) ?? []).union(.meter))
        }
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

extension PermissionSet {
    /// Whether a method may be called. A permission that this build does not know is nobody's.
    fileprivate func allows(_ method: MethodDescriptor) -> Bool {
        Permission(rawValue: method.permission).map(allows) ?? false
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

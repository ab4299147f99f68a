import Engine
import Ledger
import RPC
import Storage
import TollgateSchema

/// A principal within the tenant that its call is about.
struct TenantAccess: Sendable {
    let principal: Principal
    let tenant: TenantID
    /// What the call may do within that tenant.
    let permissions: PermissionSet
    /// Who asks and from where, as the audit trail has it.
    let origin: CallOrigin

    var actor: String { principal.actor }

    /// Refuses, and has it noted, what the caller may not do: a step within a call of many, say.
    func require(_ permission: Permission, calling method: MethodDescriptor) throws(RPCError) {
        guard permissions.allows(permission) else {
            throw principal.refuse(permission.rawValue, in: tenant, method, origin)
        }
    }
}

extension ServerContext {
    /// Who calls. The interceptor lets nobody else through to a handler of ours.
    func principal() throws(RPCError) -> Principal {
        guard let principal = principal(as: Principal.self) else { throw .keyInvalid }
        return principal
    }

    /// Who calls, where the call is about one tenant.
    func tenantPrincipal() throws(RPCError) -> (principal: Principal, seat: TenantSeat) {
        let principal = try principal()
        guard let seat = principal.seat else {
            throw RPCError(
                InvalidField(
                    "tollgate-tenant", "is missing: the key serves many tenants, so the metadata must name one"))
        }
        return (principal, seat)
    }

    /// The same with what the call may do there, and from where it comes.
    func tenantAccess() throws(RPCError) -> TenantAccess {
        let (principal, seat) = try tenantPrincipal()
        return TenantAccess(
            principal: principal, tenant: seat.tenant, permissions: principal.permissions,
            origin: principal.origin(from: peer))
    }
}

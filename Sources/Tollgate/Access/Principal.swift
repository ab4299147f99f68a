import Engine
import Ledger
import Locks
import RPC
import Storage
import TollgateSchema

/// Who calls, as the interceptor found out. Calls with the same headers share it, whatever connection they come on.
final class Principal: Sendable {
    let keyID: String
    let role: String
    /// What the key's role may do by itself.
    let keyPermissions: PermissionSet
    /// What the call may do within its tenant: the key's permissions, bounded by the role of the end user.
    let permissions: PermissionSet
    /// The tenant that the key is bound to; nil for a key that serves all.
    let boundTenant: TenantID?
    /// The tenant of this call; nil where the call names none of its own.
    let tenant: TenantID?
    /// Where its book is found.
    let seat: TenantSeat?
    /// That tenant's time zone.
    let timeZone: String
    /// What features cost for the tenant.
    let prices: TenantPrices
    /// The end user on whose behalf the call is made; empty where none was named.
    let actor: String
    /// What a proxy says of where the call comes from.
    private let forwardedFor: String
    private let refusals: RefusalHook
    /// The origin of the latest call, and its peer: most come on the same connection as the one before, or from the same address.
    private nonisolated(unsafe) var latest: (peer: String, origin: CallOrigin)?
    /// Guards `latest`.
    private let lock = Lock()

    init(
        keyID: String, role: String, keyPermissions: PermissionSet, permissions: PermissionSet,
        boundTenant: TenantID?, tenant: TenantID?, timeZone: String, prices: TenantPrices, actor: String,
        forwardedFor: String, refusals: @escaping RefusalHook
    ) {
        self.keyID = keyID
        self.role = role
        self.keyPermissions = keyPermissions
        self.permissions = permissions
        self.boundTenant = boundTenant
        self.tenant = tenant
        seat = tenant.map { TenantSeat($0) }
        self.timeZone = timeZone
        self.prices = prices
        self.actor = actor
        self.forwardedFor = forwardedFor
        self.refusals = refusals
    }

    /// Who asks and from where, of a call from a peer such as `127.0.0.1:40312`.
    func origin(from peer: String) -> CallOrigin {
        lock.locked {
            if let latest, latest.peer == peer { return latest.origin }
            let known = latest.flatMap { Self.isAddress($0.origin.address, of: peer) ? $0.origin : nil }
            let origin =
                known
                ?? CallOrigin(
                    keyID: keyID, actor: actor, address: String(Self.address(of: peer)), forwardedFor: forwardedFor)
            latest = (peer, origin)
            return origin
        }
    }

    /// What the caller may not do, said in the tenant's audit trail and as a status.
    func refuse(
        _ permission: String, in tenant: TenantID?, _ method: MethodDescriptor, _ origin: CallOrigin
    ) -> RPCError {
        if let tenant { refusals(tenant, .permissionMissing(permission, method, by: origin)) }
        let isOfKey = Permission(rawValue: permission).map(keyPermissions.allows) == false
        return .permissionMissing(permission, of: isOfKey ? .key : .actor)
    }

    /// The peer without its port, which says nothing and differs from connection to connection.
    private static func address(of peer: String) -> Substring {
        peer.lastIndex(of: ":").map { peer[..<$0] } ?? peer[...]
    }

    /// Whether the peer has this address, without making a text of it.
    private static func isAddress(_ address: String, of peer: String) -> Bool {
        let (address, peer) = (address.utf8, peer.utf8)
        guard peer.starts(with: address) else { return false }
        let rest = peer.dropFirst(address.count)
        return rest.first == UInt8(ascii: ":") && !rest.dropFirst().contains(UInt8(ascii: ":"))
    }
}

/// Hears of each call that was refused for want of a permission, once it is known whose credits it was about.
typealias RefusalHook = @Sendable (TenantID, AuditNote) -> Void

extension AuditNote {
    fileprivate static func permissionMissing(
        _ permission: String, _ method: MethodDescriptor, by origin: CallOrigin
    ) -> AuditNote {
        AuditNote(
            origin: origin, method: method.auditName, target: permission, outcome: .refused,
            refusal: Reason.permissionMissing.rawValue)
    }
}

extension MethodDescriptor {
    /// As the audit trail has it: `tollgate.v1.Settings/SetLimits`.
    var auditName: String { String(path.dropFirst()) }
}

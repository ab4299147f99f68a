/// Something that a role may do. The names are those of `option (tollgate.v1.permission)` in the schema.
package enum Permission: String, CaseIterable, Sendable {
    /// Balance, history, use, prices.
    case view = "credits.view"
    /// Reserve, commit and what goes with them.
    case meter = "credits.meter"
    /// Give back what was charged.
    case refund = "credits.refund"
    /// Buy packs, set auto top-up.
    case purchase = "credits.purchase"
    /// Limits, quality, alerts, the audit trail.
    case manage = "credits.manage"
    /// What only an owner may: switch AI on and off.
    case own = "credits.owner"
    /// Tenants, grants, members, keys.
    case administer = "tenants.admin"

    fileprivate var bit: UInt16 {
        switch self {
        case .view: 1 << 0
        case .meter: 1 << 1
        case .refund: 1 << 2
        case .purchase: 1 << 3
        case .manage: 1 << 4
        case .own: 1 << 5
        case .administer: 1 << 6
        }
    }
}

/// What a role may do, all told: one word, so that a check costs one instruction.
package struct PermissionSet: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    package init(_ permission: Permission) {
        rawValue = permission.bit
    }

    package static let view = PermissionSet(.view)
    package static let meter = PermissionSet(.meter)
    package static let refund = PermissionSet(.refund)
    package static let purchase = PermissionSet(.purchase)
    package static let manage = PermissionSet(.manage)
    package static let own = PermissionSet(.own)
    package static let administer = PermissionSet(.administer)
    package static let all = PermissionSet(Permission.allCases.map { PermissionSet($0) })

    package func allows(_ permission: Permission) -> Bool {
        rawValue & permission.bit != 0
    }

    /// The names, in the order of `Permission`.
    package var names: [String] {
        Permission.allCases.filter(allows).map(\.rawValue)
    }
}

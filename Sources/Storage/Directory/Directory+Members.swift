import Ledger
import Locks

/// What came of a change of a tenant's members.
package enum MemberChange: Equatable, Sendable {
    /// `before` is nil for who was no member, `after` for who is none any more.
    case done(before: MemberRecord?, after: MemberRecord?)
    /// It stood like that before.
    case unchanged(MemberRecord?)
    /// The tenant, which has an owner, would be left without one.
    case lastOwner
    case noTenant
}

/// How an end user stands to a tenant.
package enum MemberStanding: Equatable, Sendable {
    /// The tenant has no members at all.
    case noMembers
    /// The tenant has members, and this is none of them.
    case stranger
    case member(role: String)
}

/// The members of tenants and their roles.
extension Directory {
    /// Makes someone a member, or gives a member another role or name; when it became one stays.
    ///
    /// - Parameters:
    ///   - owning: the roles that own a tenant; a tenant that has a member with one of them keeps one.
    ///   - note: makes what is owed to the book; not called where nothing changes.
    package func setMember(
        _ member: MemberRecord, of tenant: TenantID, owning: Set<String>,
        note: (_ before: MemberRecord?, _ after: MemberRecord) -> DirectoryNote? = { _, _ in nil }
    ) throws(StorageError) -> MemberChange {
        try Self.check([member.memberID.description, member.role, member.displayName])
        return try writing.locked { () throws(StorageError) in
            guard self.tenant(tenant) != nil else { return .noTenant }
            let before = self.member(member.memberID, of: tenant)
            var member = member
            if let before { member.createdAt = before.createdAt }
            if member == before { return .unchanged(member) }
            if !owning.contains(member.role), isLastOwner(member.memberID, of: tenant, owning) { return .lastOwner }
            if before == nil { try checkRoom(in: tenant) }
            let after = member
            try commit(note(before, after)) { (file) throws(StorageError) in
                try file.set(after, of: tenant)
            } _: {
                $0.set(after, of: tenant)
            }
            return .done(before: before, after: after)
        }
    }

    /// Ends a membership.
    package func removeMember(
        _ id: MemberID, of tenant: TenantID, owning: Set<String>,
        note: (_ before: MemberRecord) -> DirectoryNote? = { _ in nil }
    ) throws(StorageError) -> MemberChange {
        try writing.locked { () throws(StorageError) in
            guard self.tenant(tenant) != nil else { return .noTenant }
            guard let before = member(id, of: tenant) else { return .unchanged(nil) }
            if isLastOwner(id, of: tenant, owning) { return .lastOwner }
            try commit(note(before)) { (file) throws(StorageError) in
                try file.removeMember(id, of: tenant)
            } _: {
                $0.remove(id, of: tenant)
            }
            return .done(before: before, after: nil)
        }
    }

    package func member(_ id: MemberID, of tenant: TenantID) -> MemberRecord? {
        contents.withLock { $0.member(id, of: tenant) }
    }

    /// How an end user stands to a tenant.
    package func standing(of id: MemberID, in tenant: TenantID) -> MemberStanding {
        contents.withLock { contents in
            guard contents.members[tenant] != nil else { return .noMembers }
            return contents.member(id, of: tenant).map { .member(role: $0.role) } ?? .stranger
        }
    }

    /// In the order of their ids, from the first one after `after`.
    package func members(of tenant: TenantID, after: MemberID?, limit: Int) -> [MemberRecord] {
        contents.withLock { contents in
            guard let members = contents.members[tenant] else { return [] }
            var first = after.map { members.place(of: $0) } ?? 0
            if let after, first < members.count, members[first].memberID == after { first += 1 }
            return Array(members[first...].prefix(max(0, limit)))
        }
    }

    private func isLastOwner(_ id: MemberID, of tenant: TenantID, _ owning: Set<String>) -> Bool {
        contents.withLock { $0.isLastOwner(id, of: tenant, owning: owning) }
    }

    private func checkRoom(in tenant: TenantID) throws(StorageError) {
        let (own, all) = contents.withLock { ($0.members[tenant]?.count ?? 0, $0.memberCount) }
        guard own < StorageLimits.maxMembersPerTenant else {
            throw .limit("tenant \(tenant) has \(own) members, no more are taken")
        }
        guard all < StorageLimits.maxMembers else { throw .limit("there are \(all) members, no more are taken") }
    }
}

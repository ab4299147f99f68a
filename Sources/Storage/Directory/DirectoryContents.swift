import Ledger

/// The directory as it is in memory.
struct DirectoryContents: Sendable {
    var tenants: [TenantID: TenantRecord] = [:]
    /// Sorted; the ids of `tenants`.
    var order: [TenantID] = []
    var keys: [String: KeyRecord] = [:]
    var keyIDs: [KeyDigest: String] = [:]
    /// Each tenant's members, sorted by id; no tenant without any.
    var members: [TenantID: [MemberRecord]] = [:]
    /// Of all tenants.
    var memberCount = 0
    /// By version, from 1.
    var catalogs: [CatalogRecord] = []
    /// The notes that are owed.
    var owed: Set<StepID> = []
    /// The highest place in the outbox that this process knows of: of a note that is owed, or was.
    var lastPlace: Int64 = 0

    /// The place of the next note. None is taken twice: who has read up to a place would miss a note that was made later and
    /// got one before it, and bring those behind it first.
    mutating func takePlace() -> Int64 {
        lastPlace += 1
        return lastPlace
    }

    /// Where a tenant stands in the order, or would stand.
    func place(of id: TenantID) -> Int {
        order.firstPlace { $0 >= id }
    }

    func member(_ id: MemberID, of tenant: TenantID) -> MemberRecord? {
        guard let members = members[tenant] else { return nil }
        let place = members.place(of: id)
        return place < members.count && members[place].memberID == id ? members[place] : nil
    }

    mutating func set(_ member: MemberRecord, of tenant: TenantID) {
        let place = members[tenant]?.place(of: member.memberID) ?? 0
        if let count = members[tenant]?.count, place < count, members[tenant]?[place].memberID == member.memberID {
            members[tenant]?[place] = member
        } else {
            members[tenant, default: []].insert(member, at: place)
            memberCount += 1
        }
    }

    mutating func remove(_ id: MemberID, of tenant: TenantID) {
        guard let place = members[tenant]?.place(of: id) else { return }
        members[tenant]?.remove(at: place)
        memberCount -= 1
        if members[tenant]?.isEmpty == true { members[tenant] = nil }
    }

    /// Whether the tenant would have no owner left if this member were none, though it is one.
    func isLastOwner(_ id: MemberID, of tenant: TenantID, owning: Set<String>) -> Bool {
        guard let member = member(id, of: tenant), owning.contains(member.role) else { return false }
        return members[tenant]?.contains { $0.memberID != id && owning.contains($0.role) } != true
    }
}

extension [MemberRecord] {
    /// Where a member stands, or would stand.
    func place(of id: MemberID) -> Int {
        firstPlace { $0.memberID >= id }
    }
}

extension Array {
    /// The first place from which on all elements fulfil a condition that those before do not.
    fileprivate func firstPlace(where isBehind: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = low + (high - low) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

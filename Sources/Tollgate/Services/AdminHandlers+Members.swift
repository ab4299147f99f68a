import Engine
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// The members of tenants.
extension AdminHandlers {
    func setMember(_ request: SetMemberRequest, context: ServerContext) async throws -> SetMemberResponse {
        let caller = try tenant(request.tenantID, context).access
        try checked { () throws(InvalidField) in
            try memberID(request.memberID)
            try FieldCheck.name(request.displayName, "display_name", maxBytes: Limits.maxDisplayNameBytes)
            guard catalog.permissions(of: request.role) != nil else { throw unknownRole }
        }
        let member = MemberRecord(
            memberID: MemberID(request.memberID), role: request.role, displayName: request.displayName,
            createdAt: engine.now)
        let change = try stored { () throws(StorageError) in
            try directory.setMember(member, of: caller.tenant, owning: owningRoles) { before, after in
                note(caller, context, member.memberID, before: before, after: after)
            }
        }
        let after = try await made(change, caller) ?? member
        return .with { $0.member = Member(after) }
    }

    func removeMember(_ request: RemoveMemberRequest, context: ServerContext) async throws -> RemoveMemberResponse {
        let caller = try tenant(request.tenantID, context).access
        try checked { () throws(InvalidField) in try memberID(request.memberID) }
        let id = MemberID(request.memberID)
        let change = try stored { () throws(StorageError) in
            try directory.removeMember(id, of: caller.tenant, owning: owningRoles) { before in
                note(caller, context, id, before: before, after: nil)
            }
        }
        _ = try await made(change, caller)
        return RemoveMemberResponse()
    }

    func listMembers(_ request: ListMembersRequest, context: ServerContext) async throws -> ListMembersResponse {
        let caller = try tenant(request.tenantID, context).access
        let (size, after) = try checked { () throws(InvalidField) in
            (try FieldCheck.pageSize(request.pageSize), try nameCursor(request.pageToken, of: .members))
        }
        // One more than the page tells whether there is another.
        let found = directory.members(of: caller.tenant, after: after.map { MemberID($0) }, limit: size + 1)
        return .with {
            $0.members = found.prefix(size).map { Member($0) }
            if found.count > size {
                $0.nextPageToken = PageCursor.name(found[size - 1].memberID.description).token(of: .members)
            }
        }
    }

    private func memberID(_ text: String) throws(InvalidField) {
        if text.isEmpty { throw InvalidField("member_id", "is missing") }
        try FieldCheck.name(text, "member_id", maxBytes: Limits.maxActorBytes)
    }

    /// The roles whose members own their tenant.
    private var owningRoles: Set<String> {
        Set(catalog.roles.filter { $0.value.allows(.own) }.keys)
    }

    private func note(
        _ caller: TenantAccess, _ context: ServerContext, _ id: MemberID, before: MemberRecord?, after: MemberRecord?
    ) -> DirectoryNote {
        OwedStep(
            kind: .note, origin: caller.origin, method: context.method.auditName, target: id.description,
            before: before?.auditJSON ?? "", after: after?.auditJSON ?? ""
        ).note(for: caller.tenant, at: engine.now)
    }

    /// The member after a change, once the book was told.
    private func made(_ change: MemberChange, _ caller: TenantAccess) async throws(RPCError) -> MemberRecord? {
        switch change {
        case .lastOwner:
            throw RPCError(.failedPrecondition, .lastOwner, "the tenant would be left without an owner")
        case .noTenant:
            throw .tenantNotFound
        case .done(_, let after), .unchanged(let after):
            await courier.tryToDeliver(to: caller.tenant)
            return after
        }
    }
}

extension MemberRecord {
    fileprivate var auditJSON: String { AuditJSON.object(["role": role, "display_name": displayName]) }
}

extension Member {
    init(_ record: MemberRecord) {
        self.init()
        memberID = record.memberID.description
        role = record.role
        displayName = record.displayName
        createTime = .init(record.createdAt)
    }
}

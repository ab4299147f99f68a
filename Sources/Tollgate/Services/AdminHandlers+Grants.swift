import Engine
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// Credits that are given and taken back.
extension AdminHandlers {
    func grantCredits(_ request: GrantCreditsRequest, context: ServerContext) async throws -> GrantCreditsResponse {
        let caller = try optionalTenant(request.tenantID, context)
        var grant = try checked { () throws(InvalidField) in try steps.grant(request, actor: caller.actor) }
        grant.origin = caller.origin
        let (answer, replayed) = try answer(of: await engine.submit(.grant(grant), tenant: caller.tenant))
        return .with {
            $0.grant = answer.grant.map { TollgateSchema.Grant($0) }
            $0.balance = StepBalance(answer.balance)
            $0.replayed = replayed
        }
    }

    func revokeGrant(_ request: RevokeGrantRequest, context: ServerContext) async throws -> RevokeGrantResponse {
        let caller = try optionalTenant(request.tenantID, context)
        let id = try checked { () throws(InvalidField) in
            try FieldCheck.comment(request.reason, "reason")
            return try FieldCheck.id(request.grantID, "grant_id")
        }
        let command = RevokeCommand(grant: id, origin: caller.origin, reason: request.reason)
        let (answer, replayed) = try answer(of: await engine.submit(.revoke(command), tenant: caller.tenant))
        let grant = try await engine.read(tenant: caller.tenant) { state, _ in
            state.grants.first { $0.id == id }
        }
        return .with {
            $0.grant = grant.map { TollgateSchema.Grant($0) }
            $0.balance = StepBalance(answer.balance)
            $0.replayed = replayed
            $0.revokedMicros = answer.amount
        }
    }
}

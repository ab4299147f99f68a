import Engine
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// Tenants that are made and changed. Plan, state and time zone are the book's; the directory keeps them as the book last
/// said, so that lists need no book.
extension AdminHandlers {
    func createTenant(_ request: CreateTenantRequest, context: ServerContext) async throws -> CreateTenantResponse {
        try requireUnbound(context)
        let tenant = try checked { () throws(InvalidField) in try newTenant(request) }
        let origin = try context.principal().origin(from: context.peer)
        return try await turns.take(tenant.id) { () async throws(RPCError) in
            let isPlanKnown = catalog.plans[tenant.plan] != nil
            if directory.tenant(tenant.id) == nil, !tenant.plan.isEmpty, !catalog.plans.isEmpty, !isPlanKnown {
                throw RPCError(InvalidField("plan", "is not in the catalog"))
            }
            // A book begins without a plan in UTC; there is nothing to tell it of a tenant that stays so.
            var owed: DirectoryNote?
            if isPlanKnown || tenant.timeZone != "UTC" {
                let step = OwedStep(
                    kind: .subscribe, origin: origin, method: context.method.auditName,
                    plan: isPlanKnown ? tenant.plan : "", zone: tenant.timeZone)
                owed = step.note(for: tenant.id, at: tenant.createdAt)
            }
            let made = try stored { () throws(StorageError) in try directory.createTenant(tenant, note: owed) }
            try await courier.deliver(to: tenant.id)
            let answer = isPlanKnown ? try await currentTenant(tenant.id) : Tenant(made.tenant, at: engine.now)
            return .with {
                $0.tenant = answer
                $0.replayed = made.replayed
            }
        }
    }

    private func newTenant(_ request: CreateTenantRequest) throws(InvalidField) -> TenantRecord {
        let id = try tenantID(request.tenantID)
        try FieldCheck.name(request.plan, "plan", maxBytes: Limits.maxPlanBytes)
        try FieldCheck.name(request.displayName, "display_name", maxBytes: Limits.maxDisplayNameBytes)
        return TenantRecord(
            id: id, plan: request.plan, displayName: request.displayName,
            timeZone: request.timeZone.isEmpty ? "UTC" : try timeZone(request.timeZone), createdAt: engine.now)
    }

    func updateTenant(_ request: UpdateTenantRequest, context: ServerContext) async throws -> UpdateTenantResponse {
        let (record, caller) = try tenant(request.tenantID, context)
        let change = try checked { () throws(InvalidField) in
            try TenantChange(request, timeZone: request.timeZone.map(timeZone))
        }
        let tenant = try await turns.take(record.id) { () async throws(RPCError) in
            let hasPlan = try await engine.read(tenant: record.id) { state, _ in state.governance.subscription != nil }
            // Where there are no plans, the name of one is a label like the tenant's own name.
            let isLabel = catalog.plans.isEmpty && !hasPlan
            try await tellBook(change, isLabel: isLabel, hasPlan: hasPlan, of: record.id, caller)
            try rename(change, isLabel: isLabel, of: record.id, caller)
            await courier.tryToDeliver(to: record.id)
            return try await currentTenant(record.id)
        }
        return .with { $0.tenant = tenant }
    }

    /// The part of a change that is the book's, and then in the directory.
    private func tellBook(
        _ change: TenantChange, isLabel: Bool, hasPlan: Bool, of id: TenantID, _ caller: TenantAccess
    ) async throws(RPCError) {
        let known = directory.tenant(id)?.timeZone
        var zone = change.timeZone == known ? nil : change.timeZone
        let plan = isLabel ? nil : change.plan
        guard plan != nil || change.state != nil || zone != nil else { return }
        // A book that an older build began never heard of the zone that its tenant was made with.
        if plan != nil, !hasPlan { zone = zone ?? known }
        let command = SubscriptionCommand(
            plan: plan, state: change.state, zone: zone,
            isAtCycleEnd: change.isAtCycleEnd && (plan != nil || change.state != nil), allowance: change.allowance,
            origin: caller.origin, method: AdminMethods.updateTenant.auditName, reason: change.reason)
        _ = try answer(of: await engine.submit(.subscribe(command), tenant: id))
        guard let zone else { return }
        _ = try stored { () throws(StorageError) in try directory.updateTenant(id) { $0.timeZone = zone } }
    }

    /// The part of a change that is the directory's alone, which owes the book a note of it.
    private func rename(
        _ change: TenantChange, isLabel: Bool, of id: TenantID, _ caller: TenantAccess
    ) throws(RPCError) {
        let plan = isLabel ? change.plan : nil
        guard plan != nil || change.displayName != nil else { return }
        _ = try stored { () throws(StorageError) in
            try directory.updateTenant(id) { before, after in
                OwedStep(
                    kind: .note, origin: caller.origin, method: AdminMethods.updateTenant.auditName,
                    target: after.displayName, before: before.names(besides: after),
                    after: after.names(besides: before), reason: change.reason
                ).note(for: id, at: engine.now)
            } change: { record in
                record.plan = plan ?? record.plan
                record.displayName = change.displayName ?? record.displayName
            }
        }
    }

    /// The tenant as its book has it, in whole; where the directory lags behind the book it catches up. For who has the
    /// tenant's turn.
    func currentTenant(_ id: TenantID) async throws(RPCError) -> Tenant {
        let (governance, now) = try await engine.read(tenant: id) { state, now in (state.governance, now) }
        let changed = try stored { () throws(StorageError) in
            try directory.updateTenant(id) { $0.take(governance) }
        }
        guard let record = changed?.after else { throw .tenantNotFound }
        var tenant = Tenant(record, at: now)
        if let subscription = governance.subscription { tenant.subscriptionDetails = .init(subscription) }
        return tenant
    }
}

/// What an `UpdateTenantRequest` asks for, checked.
private struct TenantChange {
    var plan: String?
    var displayName: String?
    var timeZone: String?
    var state: Ledger.SubscriptionState?
    var isAtCycleEnd: Bool
    var allowance: SubscriptionCommand.AllowanceRule
    var reason: String

    init(_ request: UpdateTenantRequest, timeZone: String?) throws(InvalidField) {
        try FieldCheck.name(request.plan ?? "", "plan", maxBytes: Limits.maxPlanBytes)
        try FieldCheck.name(request.displayName ?? "", "display_name", maxBytes: Limits.maxDisplayNameBytes)
        try FieldCheck.comment(request.reason, "reason")
        plan = request.plan
        displayName = request.displayName
        self.timeZone = timeZone
        reason = request.reason
        switch request.subscription {
        case .unspecified: state = nil
        case .trial: throw InvalidField("subscription", "cannot be set to trial; a plan that has one begins with it")
        case let named:
            guard let known = UInt8(exactly: named.rawValue).flatMap(Ledger.SubscriptionState.init(rawValue:)) else {
                throw InvalidField("subscription", "is none of the states")
            }
            state = known
        }
        isAtCycleEnd =
            switch request.when {
            case .unspecified, .now: false
            case .cycleEnd: true
            default: throw InvalidField("when", "must be now or the end of the cycle")
            }
        allowance =
            switch request.allowance {
            case .unspecified, .keep: .keep
            case .topUp: .topUp
            case .replace: .replace
            default: throw InvalidField("allowance", "is none of the rules")
            }
    }
}

extension TenantRecord {
    /// What is a mere name and differs from that of another record, as JSON.
    fileprivate func names(besides other: TenantRecord) -> String {
        if plan == other.plan { return AuditJSON.object(["display_name": displayName]) }
        return AuditJSON.object(["display_name": displayName, "plan": plan])
    }
}

extension Tenant {
    init(_ record: TenantRecord, at now: Instant) {
        self.init()
        let standing = record.standing(at: now)
        tenantID = record.id.description
        plan = standing.plan
        displayName = record.displayName
        timeZone = record.timeZone
        createTime = .init(record.createdAt)
        subscription = .init(standing.plan.isEmpty ? .active : standing.subscription)
    }
}

extension TollgateSchema.SubscriptionState {
    init(_ state: Ledger.SubscriptionState) {
        self.init(rawValue: Int32(state.rawValue))
    }
}

extension TollgateSchema.Subscription {
    init(_ subscription: Ledger.Subscription) {
        self.init()
        plan = subscription.terms.name
        state = .init(subscription.state)
        if let cycle = subscription.cycle {
            cycleStartTime = .init(cycle.start)
            cycleEndTime = .init(cycle.end)
            allowanceMicros = cycle.allowanceMicros
        }
        if subscription.terms.cycle == .anniversary { anchorDay = Int32(subscription.anchorDay) }
        nextPlan = subscription.nextPlan ?? ""
        endsWithCycle = subscription.nextPlan == ""
        if let next = subscription.nextState { nextState = .init(next) }
        packsAllowed = subscription.mayBuyPacks
        overageCapMicros = subscription.overageCapMicros
    }
}

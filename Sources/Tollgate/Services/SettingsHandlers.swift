import Engine
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// `tollgate.v1.Settings`: what a tenant decides for itself. Settings stand in its book, and who changed them with them.
struct SettingsHandlers: SettingsService {
    let engine: Engine
    let catalogs: CatalogKeeper
    let courier: BookCourier

    func getSettings(_ request: GetSettingsRequest, context: ServerContext) async throws -> GetSettingsResponse {
        let access = try context.tenantAccess()
        let (settings, limits) = try await engine.read(tenant: access.tenant) { [rules = engine.rules] state, now in
            (TenantSettings(state.governance), state.limitReadings(at: now, under: rules))
        }
        return .with {
            $0.settings = settings
            $0.limits = limits.map { LimitStatus($0) }
        }
    }

    func setAIEnabled(_ request: SetAIEnabledRequest, context: ServerContext) async throws -> SetAIEnabledResponse {
        let access = try context.tenantAccess()
        try checked { () throws(InvalidField) in try FieldCheck.comment(request.reason, "reason") }
        let settings = try await set(.aiEnabled(request.enabled), access, context, reason: request.reason)
        return .with { $0.settings = settings }
    }

    func setQuality(_ request: SetQualityRequest, context: ServerContext) async throws -> SetQualityResponse {
        let access = try context.tenantAccess()
        let quality = try checked { () throws(InvalidField) in
            let quality = try FieldCheck.quality(request.quality.rawValue)
            try FieldCheck.name(request.feature, "feature", maxBytes: Limits.maxFeatureBytes)
            // A setting may be taken back also where the catalog has the feature no more.
            guard quality == .unspecified || catalogs.current.price(of: request.feature, for: access.tenant) != nil
            else { throw InvalidField("feature", "is not on the rate card") }
            return quality
        }
        let settings = try await set(.quality(feature: request.feature, quality), access, context)
        return .with { $0.settings = settings }
    }

    /// Changes a setting, and tells all of them as they then stand.
    func set(
        _ change: SettingCommand.Change, _ access: TenantAccess, _ context: ServerContext, reason: String = ""
    ) async throws(RPCError) -> TenantSettings {
        let command = SettingCommand(
            change, origin: access.origin, method: context.method.auditName, reason: reason)
        _ = try answer(of: await engine.submit(.set(command), tenant: access.tenant))
        return try await engine.read(tenant: access.tenant) { state, _ in TenantSettings(state.governance) }
    }
}

extension TenantSettings {
    init(_ governance: Governance) {
        self.init()
        aiEnabled = governance.isAIEnabled
        limits = governance.limits.items.map { TollgateSchema.UsageLimit($0.limit) }
        qualities = governance.qualities.mapValues { TollgateSchema.Quality($0) }
        if let changedAt = governance.changedAt { updateTime = .init(changedAt) }
    }
}

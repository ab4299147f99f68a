import Ledger
import Protobuf
import RPC
import Storage
import Testing
import TollgateSchema

@testable import Tollgate

/// What a server makes of a directory that a crash or an older build left.
@Suite(.timeLimit(.minutes(1))) struct StartTests {
    private func tenant(zone: String = "UTC") throws -> TenantRecord {
        let id = try #require(TenantID("acme"))
        return TenantRecord(id: id, plan: "", displayName: "", timeZone: zone, createdAt: Instant(microseconds: 1))
    }

    @Test func whatIsOwedIsBroughtBeforeAnybodyIsServed() async throws {
        let place = try ServerPlace()
        let tenant = try tenant()
        try place.withDirectory { directory in
            _ = try directory.createTenant(tenant)
            for (method, target) in [(AdminMethods.setMember, "first"), (AdminMethods.createKey, "second")] {
                let step = OwedStep(
                    kind: .note, origin: CallOrigin(keyID: "k"), method: method.auditName, target: target)
                _ = try directory.updateTenant(tenant.id) { _, _ in
                    step.note(for: tenant.id, at: tenant.createdAt)
                } change: {
                    $0.displayName = target
                }
            }
        }
        // The second start finds nothing owed, and nothing is there twice.
        for _ in 0..<2 {
            try await place.withServer(tenant: "acme") { channel in
                let trail = try await SettingsClient(channel).listAuditEvents(ListAuditEventsRequest())
                #expect(trail.events.map(\.target) == ["second", "first"])
                #expect(trail.events.map(\.method) == ["tollgate.v1.Admin/CreateKey", "tollgate.v1.Admin/SetMember"])
            }
        }
    }

    private let catalog = """
        {"features": {}, "plans": {
            "month": {"sign_up": [{"micros": 7, "kind": "complimentary"}],
                      "allowance": {"micros": 100, "kind": "subscription"}}}}
        """

    @Test func aTenantThatWasToSubscribeWhenTheServerFellDoesSoOnce() async throws {
        let place = try ServerPlace()
        var tenant = try tenant(zone: "Asia/Kolkata")
        tenant.plan = "month"
        let made = tenant
        try place.withDirectory { directory in
            let step = OwedStep(
                kind: .subscribe, origin: CallOrigin(keyID: "k"), method: AdminMethods.createTenant.auditName,
                plan: "month", zone: made.timeZone)
            _ = try directory.createTenant(made, note: step.note(for: made.id, at: made.createdAt))
        }
        for _ in 0..<2 {
            try await place.withServer(catalog: catalog, tenant: "acme") { channel in
                let grants = try await CreditsClient(channel).listGrants(ListGrantsRequest()).grants
                #expect(grants.map(\.origin) == [.signUp, .allowance])
                let request = CreateTenantRequest.with {
                    $0.tenantID = "acme"
                    $0.plan = "month"
                    $0.timeZone = "Asia/Kolkata"
                }
                let again = try await AdminClient(channel).createTenant(request)
                #expect(again.replayed)
                #expect(again.tenant?.subscriptionDetails?.allowanceMicros == 100)
            }
        }
    }

    @Test func aTenantOfAnOlderBuildSubscribesInItsOwnTimeZone() async throws {
        let place = try ServerPlace()
        let tenant = try tenant(zone: "Asia/Kolkata")
        try place.withDirectory { directory in _ = try directory.createTenant(tenant) }
        try await place.withServer(catalog: catalog, tenant: "acme") { channel in
            let admin = AdminClient(channel)
            let request = UpdateTenantRequest.with {
                $0.tenantID = "acme"
                $0.plan = "month"
            }
            let changed = try #require(try await admin.updateTenant(request).tenant)
            #expect(changed.timeZone == "Asia/Kolkata")
            // Midnight there is 18:30 UTC.
            let end = try #require(changed.subscriptionDetails?.cycleEndTime)
            #expect(end.seconds % 86_400 == 66_600)
            let known = try await SettingsClient(channel).listAuditEvents(ListAuditEventsRequest()).events
            #expect(known.map(\.method) == ["tollgate.v1.Admin/UpdateTenant"])
            #expect(try await admin.updateTenant(request).tenant == changed)
            let listed = try await admin.listTenants(ListTenantsRequest()).tenants
            #expect(listed.map(\.plan) == ["month"])
            #expect(try await SettingsClient(channel).listAuditEvents(ListAuditEventsRequest()).events == known)
        }
    }
}

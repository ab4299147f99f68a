import Foundation
import Ledger
import Locks
import RPC
import Storage
import Testing
import TollgateSchema

@testable import Tollgate

@Suite("Who may call what")
struct AccessControlTests {
    /// Which roles may call each method, written down by hand.
    private static let table: [(methods: [MethodDescriptor], roles: Set<String>)] = [
        (
            [
                MeteringMethods.reserve, MeteringMethods.commit, MeteringMethods.release, MeteringMethods.extend,
                MeteringMethods.charge, MeteringMethods.quote, MeteringMethods.getReservation,
                MeteringMethods.listReservations, MeteringMethods.batch, MeteringMethods.meter,
            ], ["service", "platform"]
        ),
        ([MeteringMethods.refund], ["owner", "platform"]),
        (
            [
                CreditsMethods.getBalance, CreditsMethods.watchBalance, CreditsMethods.listTransactions,
                CreditsMethods.exportTransactions, CreditsMethods.getUsage, CreditsMethods.getTrend,
                CreditsMethods.listMonths, CreditsMethods.listGrants, CreditsMethods.getRateCard,
                CreditsMethods.listAlerts,
            ], ["owner", "admin", "member", "service", "platform"]
        ),
        (
            [
                SettingsMethods.getSettings, SettingsMethods.setLimits, SettingsMethods.setQuality,
                SettingsMethods.setAlerts, SettingsMethods.listAuditEvents,
            ], ["owner", "admin", "platform"]
        ),
        ([SettingsMethods.setAIEnabled], ["owner", "platform"]),
        (PurchasesMethods.all, ["owner", "admin", "platform"]),
        (AdminMethods.all, ["platform"]),
        (TestClockMethods.all, ["platform"]),
    ]

    private static let allMethods =
        MeteringMethods.all + CreditsMethods.all + SettingsMethods.all + PurchasesMethods.all + AdminMethods.all
        + TestClockMethods.all

    private static let roles = ["owner", "admin", "member", "service", "platform"]

    /// A directory with the tenant `acme`, which has a member of each role but `service` and `platform`, the tenant
    /// `solo` without members, and keys of each role for `acme` and for all.
    private final class World {
        let directory: Directory
        let access: AccessControl
        let notes = NoteList()

        init(_ path: String) throws {
            directory = try Directory(path: path)
            let now = Instant(microseconds: 1)
            for (id, zone) in [("acme", "Europe/Berlin"), ("solo", "UTC")] {
                _ = try directory.createTenant(
                    TenantRecord(
                        id: try #require(TenantID(id)), plan: "", displayName: "", timeZone: zone, createdAt: now))
            }
            let acme = try #require(TenantID("acme"))
            for role in ["owner", "admin", "member", "gone"] {
                _ = try directory.setMember(
                    MemberRecord(memberID: MemberID("the-\(role)"), role: role, displayName: "", createdAt: now),
                    of: acme, owning: [])
            }
            for role in AccessControlTests.roles + ["gone"] {
                for tenant in [acme, nil] {
                    let name = Self.keyName(role, isBound: tenant != nil)
                    try directory.createKey(
                        KeyRecord(
                            keyID: name, tenant: tenant, role: role, name: "", digest: Self.digest(name),
                            createdAt: now))
                }
            }
            access = AccessControl(directory: directory, catalogs: try CatalogKeeper(directory: directory, at: now)) {
                [notes] in notes.add($0, $1)
            }
        }

        deinit { directory.close() }

        static func keyName(_ role: String, isBound: Bool) -> String { (isBound ? "bound " : "free ") + role }

        private static func digest(_ name: String) -> KeyDigest {
            name.utf8.withContiguousStorageIfAvailable { KeyDigest(of: UnsafeRawBufferPointer($0)) }!
        }

        /// Nil where the call was let in, else the reason why not.
        func refusal(
            of method: MethodDescriptor, role: String, isBound: Bool = true, tenant: String? = nil,
            actor: String? = nil
        ) -> String? {
            do throws(RPCError) {
                _ = try principal(calling: method, role: role, isBound: isBound, tenant: tenant, actor: actor)
                return nil
            } catch {
                return error.errorInfo?.reason
            }
        }

        func principal(
            calling method: MethodDescriptor, role: String, isBound: Bool = true, tenant: String? = nil,
            actor: String? = nil, forwardedFor: [String] = []
        ) throws(RPCError) -> Principal {
            try access.admit(
                AccessControl.Caller(
                    key: Self.digest(Self.keyName(role, isBound: isBound)), tenant: tenant, actor: actor,
                    forwardedFor: forwardedFor, peer: "10.1.2.3:4567"),
                calling: method)
        }
    }

    /// What the hook was told.
    private final class NoteList: Sendable {
        private let list = Protected<[(tenant: String, note: AuditNote)]>([])

        func add(_ tenant: TenantID, _ note: AuditNote) { list.withLock { $0.append((tenant.description, note)) } }

        func take() -> [(tenant: String, note: AuditNote)] {
            list.withLock { list in
                defer { list = [] }
                return list
            }
        }
    }

    private func withWorld(_ body: (World) throws -> Void) throws {
        try withTemporaryDirectory { directory in
            try body(World(directory.appending(path: "directory.sqlite").path))
        }
    }

    @Test("the table names every method once")
    func completeness() {
        let named = Self.table.flatMap(\.methods).map(\.path)
        #expect(Set(named).count == named.count)
        #expect(Set(named) == Set(Self.allMethods.map(\.path)))
    }

    @Test(
        "each role may call just what the table says, and each refusal within a tenant is told",
        arguments: [true, false])
    func rolesByCalls(isBound: Bool) throws {
        try withWorld { world in
            for (methods, allowed) in Self.table {
                for method in methods {
                    for role in Self.roles {
                        let refusal = world.refusal(
                            of: method, role: role, isBound: isBound, tenant: isBound ? nil : "acme")
                        let expected = allowed.contains(role) ? nil : "PERMISSION_MISSING"
                        #expect(refusal == expected, "\(role) calls \(method.path)")
                        let told = world.notes.take()
                        #expect(told.map(\.tenant) == (expected == nil ? [] : ["acme"]))
                        guard let note = told.first?.note else { continue }
                        #expect(note.method == method.path.dropFirst())
                        #expect(note.refusal == "PERMISSION_MISSING")
                        #expect(note.outcome == .refused)
                        #expect(note.target == method.permission)
                        #expect(note.origin.keyID == World.keyName(role, isBound: isBound))
                        #expect(note.origin.address == "10.1.2.3")
                    }
                }
            }
        }
    }

    @Test("the role of a member bounds each key: what both may, and to meter")
    func actorsByCalls() throws {
        try withWorld { world in
            for (methods, allowed) in Self.table {
                for method in methods {
                    for role in Self.roles {
                        for actor in ["owner", "admin", "member", "gone", "nobody"] {
                            let byActor = method.permission == "credits.meter" || allowed.contains(actor)
                            let isAllowed = allowed.contains(role) && byActor
                            let name = actor == "nobody" ? actor : "the-\(actor)"
                            #expect(
                                world.refusal(of: method, role: role, actor: name)
                                    == (isAllowed ? nil : "PERMISSION_MISSING"),
                                "\(role) calls \(method.path) for \(name)")
                        }
                    }
                }
            }
        }
    }

    @Test("where a tenant has no members, or a call has no tenant, an actor is a mere label")
    func labels() throws {
        try withWorld { world in
            for method in Self.allMethods {
                for role in Self.roles {
                    for tenant in ["solo", nil] {
                        #expect(
                            world.refusal(of: method, role: role, isBound: false, tenant: tenant, actor: "the-member")
                                == world.refusal(of: method, role: role, isBound: false, tenant: tenant))
                    }
                }
            }
        }
    }

    @Test("a role that the catalog lost may do nothing")
    func lostRole() throws {
        try withWorld { world in
            for method in Self.allMethods {
                #expect(world.refusal(of: method, role: "gone") == "PERMISSION_MISSING")
            }
        }
    }

    @Test("no refusal is told where no tenant is known")
    func untold() throws {
        try withWorld { world in
            #expect(world.refusal(of: AdminMethods.getTenant, role: "owner", isBound: false) == "PERMISSION_MISSING")
            #expect(world.refusal(of: AdminMethods.getTenant, role: "owner", tenant: "solo") == "TENANT_NOT_FOUND")
            #expect(world.notes.take().isEmpty)
        }
    }

    @Test("a key of one tenant gets the same answer for another as for one that is not there, whatever it calls")
    func otherTenants() throws {
        try withWorld { world in
            func answer(_ method: MethodDescriptor, _ role: String, _ tenant: String) -> String {
                do throws(RPCError) {
                    let principal = try world.principal(calling: method, role: role, tenant: tenant)
                    return "let in to \(principal.tenant.map { "\($0)" } ?? "none")"
                } catch {
                    return "\(error.code) \(error.errorInfo?.reason ?? "") \(error.message) \(error.details)"
                }
            }
            let notThere = answer(CreditsMethods.getBalance, "owner", "none")
            #expect(notThere.contains("TENANT_NOT_FOUND"))
            for method in Self.allMethods {
                for role in Self.roles {
                    #expect(answer(method, role, "solo") == notThere, "\(role) calls \(method.path)")
                    #expect(answer(method, role, "none") == notThere, "\(role) calls \(method.path)")
                }
            }
            #expect(world.notes.take().isEmpty)
        }
    }

    @Test("within a tenant that a request names, the role of its own member counts")
    func namedTenants() throws {
        try withWorld { world in
            let (acme, solo) = (try #require(TenantID("acme")), try #require(TenantID("solo")))
            let method = AdminMethods.setMember
            func enter(_ tenant: TenantID, _ principal: Principal) -> String? {
                do throws(RPCError) {
                    let entered = try world.access.enter(tenant, principal, calling: method, from: "1.2.3.4:5")
                    #expect(entered.record.id == tenant)
                    return nil
                } catch {
                    return error.errorInfo?.reason
                }
            }
            let free = try world.principal(calling: method, role: "platform", isBound: false)
            #expect(enter(acme, free) == nil)
            let label = try world.principal(calling: method, role: "platform", isBound: false, actor: "the-owner")
            #expect(enter(solo, label) == nil)
            #expect(world.notes.take().isEmpty)
            #expect(enter(acme, label) == "PERMISSION_MISSING")
            let told = world.notes.take()
            #expect(told.map(\.tenant) == ["acme"])
            #expect(told.first?.note.origin.actor == "the-owner")
            #expect(enter(try #require(TenantID("none")), free) == "TENANT_NOT_FOUND")
            let bound = try world.principal(calling: method, role: "platform")
            #expect(enter(acme, bound) == nil)
            #expect(enter(solo, bound) == "TENANT_NOT_FOUND")
        }
    }

    @Test("a step among many is refused like a call of its own")
    func stepsAmongMany() throws {
        try withWorld { world in
            let principal = try world.principal(calling: MeteringMethods.batch, role: "service")
            let access = TenantAccess(
                principal: principal, tenant: try #require(TenantID("acme")), permissions: principal.permissions,
                origin: principal.origin(from: "1.2.3.4:5"))
            #expect(throws: RPCError.self) { try access.require(.refund, calling: MeteringMethods.refund) }
            #expect(world.notes.take().map(\.note.method) == ["tollgate.v1.Metering/Refund"])
            try access.require(.meter, calling: MeteringMethods.reserve)
            #expect(world.notes.take().isEmpty)
        }
    }

    @Test("a member whose role changes is asked for anew")
    func epochs() throws {
        try withWorld { world in
            let acme = try #require(TenantID("acme"))
            let before = world.access.admissionEpoch
            _ = try world.directory.setMember(
                MemberRecord(
                    memberID: MemberID("the-member"), role: "admin", displayName: "",
                    createdAt: Instant(microseconds: 1)), of: acme, owning: [])
            #expect(world.access.admissionEpoch != before)
            #expect(world.refusal(of: SettingsMethods.getSettings, role: "owner", actor: "the-member") == nil)
        }
    }

    @Test("an origin says key, actor, address and what proxies said")
    func origins() throws {
        try withWorld { world in
            let principal = try world.principal(
                calling: CreditsMethods.getBalance, role: "owner", actor: "the-owner",
                forwardedFor: ["1.1.1.1", "2.2.2.2"])
            let origin = principal.origin(from: "10.0.0.1:50000")
            #expect(
                origin
                    == CallOrigin(
                        keyID: "bound owner", actor: "the-owner", address: "10.0.0.1", forwardedFor: "1.1.1.1, 2.2.2.2")
            )
            #expect(principal.origin(from: "10.0.0.1:50001") === origin)
            #expect(principal.origin(from: "10.0.0.10:50001").address == "10.0.0.10")
            #expect(principal.origin(from: "10.0.0.1:1").address == "10.0.0.1")
            #expect(principal.origin(from: "[::1]:40312").address == "[::1]")
            #expect(principal.origin(from: "[::1:2]:40312").address == "[::1:2]")
            #expect(principal.origin(from: "in-process").address == "in-process")
        }
    }

    @Test("of what proxies say the end is kept, without control characters")
    func forwardedFor() {
        #expect(ForwardedFor.text([]) == "")
        #expect(ForwardedFor.text(["1.1.1.1\r\nx: y\u{0}\u{7F}"]) == "1.1.1.1x: y")
        let long = ForwardedFor.text([String(repeating: "é", count: 200) + "1.2.3.4"])
        #expect(long.hasSuffix("é1.2.3.4"))
        #expect(long.utf8.count == 255)
    }
}

import Ledger
import SeededRandom
import Storage
import Testing

@Suite struct MemberTests {
    private let temporary = TemporaryDirectory()
    private var path: String { temporary.path + "/directory.sqlite" }

    private func opened(_ tenants: [TenantID] = ["acme"]) throws -> Directory {
        let directory = try Directory(path: path)
        for id in tenants {
            _ = try directory.createTenant(
                TenantRecord(id: id, plan: "", displayName: "", timeZone: "UTC", createdAt: Instant(microseconds: 1)))
        }
        return directory
    }

    private func member(_ id: String, _ role: String, name: String = "", at: Int64 = 1) -> MemberRecord {
        MemberRecord(
            memberID: MemberID(id), role: role, displayName: name, createdAt: Instant(microseconds: at))
    }

    @Test func aMemberIsSetOnceAndKeepsTheMomentAtWhichItBecameOne() throws {
        var directory = try opened()
        let ann = member("ann", "owner", name: "Ann", at: 5)
        #expect(try directory.setMember(ann, of: "acme", owning: ["owner"]) == .done(before: nil, after: ann))
        let generation = directory.generation
        let again = member("ann", "owner", name: "Ann", at: 9)
        #expect(try directory.setMember(again, of: "acme", owning: ["owner"]) == .unchanged(ann))
        #expect(directory.generation == generation)
        var renamed = ann
        renamed.displayName = "Anna"
        #expect(
            try directory.setMember(member("ann", "owner", name: "Anna", at: 9), of: "acme", owning: ["owner"])
                == .done(before: ann, after: renamed))
        #expect(directory.generation == generation + 1)
        #expect(try directory.setMember(ann, of: "nobody", owning: []) == .noTenant)
        for _ in 0..<2 {
            #expect(directory.member(MemberID("ann"), of: "acme") == renamed)
            #expect(directory.standing(of: MemberID("ann"), in: "acme") == .member(role: "owner"))
            #expect(directory.standing(of: MemberID("bob"), in: "acme") == .stranger)
            #expect(directory.standing(of: MemberID("ann"), in: "other") == .noMembers)
            directory.close()
            directory = try Directory(path: path)
        }
    }

    @Test func theLastOwnerStaysAnOwner() throws {
        let directory = try opened()
        func set(_ id: String, _ role: String) throws -> MemberChange {
            try directory.setMember(member(id, role), of: "acme", owning: ["owner", "founder"])
        }
        func remove(_ id: String) throws -> MemberChange {
            try directory.removeMember(MemberID(id), of: "acme", owning: ["owner", "founder"])
        }
        // A tenant that never had an owner need not have one.
        _ = try set("bob", "member")
        #expect(try remove("bob") == .done(before: member("bob", "member"), after: nil))
        #expect(try remove("bob") == .unchanged(nil))
        _ = try set("ann", "owner")
        _ = try set("bob", "member")
        #expect(try set("ann", "admin") == .lastOwner)
        #expect(try remove("ann") == .lastOwner)
        #expect(try set("ann", "founder") == .done(before: member("ann", "owner"), after: member("ann", "founder")))
        _ = try set("bob", "owner")
        #expect(try remove("ann") == .done(before: member("ann", "founder"), after: nil))
        #expect(try set("bob", "member") == .lastOwner)
        #expect(directory.members(of: "acme", after: nil, limit: 9) == [member("bob", "owner")])
    }

    @Test func membersAreListedInPagesInTheOrderOfTheirBytes() throws {
        var directory = try opened(["acme", "other"])
        // The two spellings of é are two members.
        let ids = ["z", "a", "e\u{301}", "\u{E9}", "B", "🙂", "\u{FFFD}", "aa"]
        let sorted = ids.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        for id in ids { _ = try directory.setMember(member(id, "member"), of: "acme", owning: []) }
        _ = try directory.setMember(member("m", "member"), of: "other", owning: [])
        for _ in 0..<2 {
            var listed: [String] = []
            var after: MemberID?
            while true {
                let page = directory.members(of: "acme", after: after, limit: 3)
                guard let last = page.last else { break }
                listed += page.map(\.memberID.description)
                after = last.memberID
            }
            #expect(listed.map { Array($0.utf8) } == sorted.map { Array($0.utf8) })
            #expect(
                directory.members(of: "acme", after: MemberID("b"), limit: 1).map(\.memberID) == [MemberID(sorted[3])])
            directory.close()
            directory = try Directory(path: path)
        }
    }

    @Test func membersFollowAModelThroughRandomChangesAndRestarts() throws {
        for seed in propertySeeds(0..<3) {
            let temporary = TemporaryDirectory()
            var random = SeededRandom(seed: seed)
            var directory = try Directory(path: temporary.path + "/directory.sqlite")
            _ = try directory.createTenant(
                TenantRecord(id: "acme", plan: "", displayName: "", timeZone: "UTC", createdAt: .init(microseconds: 1)))
            var model: [String: String] = [:]
            for _ in 0..<300 {
                let id = "m\(Int.random(in: 0..<12, using: &random))"
                let owners = model.filter { $0.value == "owner" }.map(\.key)
                if Bool.random(using: &random) {
                    let role = Bool.random(using: &random) ? "owner" : "member"
                    let change = try directory.setMember(member(id, role), of: "acme", owning: ["owner"])
                    #expect((change == .lastOwner) == (owners == [id] && role != "owner"), "seed \(seed)")
                    if change != .lastOwner { model[id] = role }
                } else {
                    let change = try directory.removeMember(MemberID(id), of: "acme", owning: ["owner"])
                    #expect((change == .lastOwner) == (owners == [id]), "seed \(seed)")
                    if change != .lastOwner { model[id] = nil }
                }
                if Int.random(in: 0..<40, using: &random) == 0 {
                    directory.close()
                    directory = try Directory(path: temporary.path + "/directory.sqlite")
                }
                let members = directory.members(of: "acme", after: nil, limit: 100)
                let found = Dictionary(uniqueKeysWithValues: members.map { ($0.memberID.description, $0.role) })
                #expect(found == model, "seed \(seed)")
            }
        }
    }
}

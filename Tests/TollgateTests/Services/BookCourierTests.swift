import Engine
import Ledger
import Storage
import Testing

@testable import Tollgate

@Suite("What the directory owes to books reaches them once")
struct BookCourierTests {
    private func step(_ target: String) -> OwedStep {
        OwedStep(
            kind: .note,
            origin: CallOrigin(keyID: "k", actor: "ann", address: "1.2.3.4", forwardedFor: "5.6.7.8"),
            method: "tollgate.v1.Admin/SetMember", target: target, before: "{}", after: "{\"a\":1}", reason: "why")
    }

    @Test("a step is stored as it is, and what is none of ours is none")
    func stored() {
        var subscribe = step("ü\u{0}")
        subscribe.kind = .subscribe
        subscribe.plan = "month"
        subscribe.zone = "Europe/Berlin"
        for step in [step(""), subscribe] { #expect(OwedStep(bytes: step.bytes) == step) }
        for bytes in [[], [0xFF], [8, 9], [8, 1, 18, 200]] as [[UInt8]] { #expect(OwedStep(bytes: bytes) == nil) }
        // A field of a newer build is passed over.
        #expect(OwedStep(bytes: step("x").bytes + [0xF8, 0x01, 7]) == step("x"))
    }

    @Test("the bytes never change: what an older build owed is still brought")
    func golden() {
        let bytes: [UInt8] = [
            0x08, 0x01, 0x12, 0x01, 0x6B, 0x1A, 0x01, 0x61, 0x22, 0x01, 0x31, 0x2A, 0x01, 0x66, 0x32, 0x01, 0x6D, 0x3A,
            0x01, 0x74, 0x42, 0x01, 0x62, 0x4A, 0x01, 0x41, 0x52, 0x01, 0x72, 0x5A, 0x01, 0x70, 0x62, 0x01, 0x7A,
        ]
        let step = OwedStep(
            kind: .note, origin: CallOrigin(keyID: "k", actor: "a", address: "1", forwardedFor: "f"), method: "m",
            target: "t", before: "b", after: "A", reason: "r", plan: "p", zone: "z")
        #expect(step.bytes == bytes)
    }

    @Test("notes come into the trail in their order, and are settled")
    func order() async throws {
        let world = try EngineWorld()
        let (acme, other) = (try world.tenant("acme"), try world.tenant("other"))
        for number in 0..<5 {
            let (tenant, name) = (number == 3 ? other : acme, "\(number)")
            let change = try world.directory.updateTenant(tenant) { [step] _, _ in
                step(name).note(for: tenant, at: world.clock.now())
            } change: {
                $0.displayName = name
            }
            #expect(change?.after.displayName == name)
        }
        await world.courier.tryToDeliver(to: acme)
        #expect(world.directory.owedCount == 1)
        #expect(try await world.trail(of: acme).map(\.target) == ["0", "1", "2", "4"])
        await world.courier.deliverAll()
        #expect(world.directory.owedCount == 0)
        let note = try #require(try await world.trail(of: other).first)
        #expect(note.origin == step("").origin)
        #expect(note.method == "tollgate.v1.Admin/SetMember")
        #expect((note.before, note.after, note.reason, note.outcome) == ("{}", "{\"a\":1}", "why", .done))
    }

    @Test("a step that reached its book before a crash, and was not settled, has no second effect")
    func once() async throws {
        let world = try EngineWorld()
        let acme = try world.tenant("acme")
        let note = step("x").note(for: acme, at: world.clock.now())
        _ = try world.directory.updateTenant(acme) { _, _ in
            note
        } change: {
            $0.displayName = "A"
        }
        _ = await world.engine.submit(step("x").command(id: note.id), tenant: acme)
        try await world.courier.deliver(to: acme)
        #expect(world.directory.owedCount == 0)
        #expect(try await world.trail(of: acme).map(\.target) == ["x"])
    }

    @Test("many who bring the same bring it once")
    func race() async throws {
        let world = try EngineWorld()
        let acme = try world.tenant("acme")
        for number in 0..<20 {
            _ = try world.directory.updateTenant(acme) { [step] _, _ in
                step("\(number)").note(for: acme, at: world.clock.now())
            } change: {
                $0.displayName = "\(number)"
            }
        }
        await withTaskGroup { group in
            for _ in 0..<8 { group.addTask { await world.courier.tryToDeliver(to: acme) } }
        }
        #expect(world.directory.owedCount == 0)
        #expect(try await world.trail(of: acme).map(\.target) == (0..<20).map { "\($0)" })
    }

    @Test("what cannot be read keeps nothing else waiting")
    func unreadable() async throws {
        let world = try EngineWorld()
        let acme = try world.tenant("acme")
        var broken = step("broken").note(for: acme, at: world.clock.now())
        broken.body = [1, 2, 3]
        for note in [broken, step("good").note(for: acme, at: world.clock.now())] {
            _ = try world.directory.updateTenant(acme) { _, _ in
                note
            } change: {
                $0.displayName += "x"
            }
        }
        await world.courier.deliverAll()
        #expect(world.directory.owedCount == 0)
        #expect(try await world.trail(of: acme).map(\.target) == ["good"])
    }

    @Test("the changes of one tenant wait for each other, those of others do not")
    func turns() async throws {
        let turns = TenantTurns()
        let (acme, other) = (try #require(TenantID("acme")), try #require(TenantID("other")))
        let inside = Counter()
        await withTaskGroup { group in
            for _ in 0..<50 {
                group.addTask {
                    await turns.take(acme) {
                        await inside.enter()
                        await Task.yield()
                        await turns.take(other) { await Task.yield() }
                        await inside.leave()
                    }
                }
            }
        }
        #expect(await inside.most == 1)
        #expect(await inside.count == 50)
        struct Failure: Error {}
        await #expect(throws: Failure.self) {
            try await turns.take(acme) { () async throws(Failure) in throw Failure() }
        }
        // The turn was given back.
        #expect(await turns.take(acme) { 7 } == 7)
    }

    private actor Counter {
        private var now = 0
        private(set) var most = 0
        private(set) var count = 0

        func enter() {
            now += 1
            count += 1
            most = max(most, now)
        }

        func leave() { now -= 1 }
    }
}

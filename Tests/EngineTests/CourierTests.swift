import Engine
import Ledger
import Locks
import Storage
import Testing

/// The courier between a directory and an engine whose workers, like itself, are moved by hand.
struct CourierTests {
    private let world: CourierWorld

    init() throws { world = try CourierWorld() }

    @Test("A note is settled only when its book has it durably, and not by the thread that says so")
    func settledLast() throws {
        try world.owe("a")
        let back = world.deliver(to: acme)
        #expect(world.turns == 0)
        world.engine.turn(of: .reader)
        // Decided, and in no journal yet.
        #expect(world.turns == 0 && world.directory.owedCount == 1)
        world.engine.turn(of: .commit)
        #expect(world.directory.owedCount == 1)
        #expect(world.goOn())
        #expect(world.directory.owedCount == 0)
        #expect(back.calls == 1 && back.hasBroughtAll)
        #expect(!world.goOn())
    }

    @Test("Where nothing is owed it is back at once")
    func nothing() {
        let (one, all) = (world.deliver(to: acme), world.deliverAll())
        #expect(one.calls == 1 && all.calls == 1)
        #expect(world.taken.isEmpty)
    }

    @Test("Notes come in their order, to one book or to all, also those that are made meanwhile")
    func order() throws {
        for text in ["a", "b"] { try world.owe(text) }
        try world.owe("x", other)
        let one = world.deliver(to: acme)
        try world.owe("c")
        world.rest()
        #expect(one.calls == 1 && world.directory.owedCount == 1)
        try world.owe("d")
        _ = world.deliverAll()
        world.rest()
        #expect(world.directory.owedCount == 0)
        #expect(world.taken == ["a", "b", "c", "x", "d"])
        #expect(try world.trail() == ["a", "b", "c", "d"])
    }

    @Test("What is made after the newest note was settled by somebody else comes before what is made later")
    func settledByAnother() throws {
        try world.owe("a")
        try world.owe("x", other)
        let (one, all) = (world.deliver(to: other), world.deliverAll())
        while world.engine.turn(of: .reader) {}
        world.engine.turn(of: .commit)
        // The first round settles what the second has read, and not brought yet.
        #expect(world.goOn() && one.calls == 1 && all.calls == 0)
        for text in ["b", "c"] { try world.owe(text) }
        world.rest()
        #expect(all.hasBroughtAll)
        #expect(world.directory.owedCount == 0)
        #expect(world.taken == ["x", "a", "x", "b", "c"])
        #expect(try world.trail() == ["a", "b", "c"])
    }

    @Test("Many who bring the same bring it once")
    func many() throws {
        let texts = (0..<20).map { "\($0)" }
        for text in texts { try world.owe(text) }
        let rounds = [world.deliverAll(), world.deliver(to: acme), world.deliverAll()]
        world.rest()
        #expect(rounds.map(\.calls) == [1, 1, 1])
        #expect(world.directory.owedCount == 0)
        #expect(try world.trail() == texts)
    }

    @Test("What is owed is more than one page, and none is left out")
    func pages() throws {
        let texts = (0...StorageLimits.maxOutboxPage).map { "\($0)" }
        for text in texts { try world.owe(text) }
        _ = world.deliverAll()
        world.rest()
        #expect(world.directory.owedCount == 0)
        #expect(world.taken == texts)
    }

    @Test("A book that takes nothing keeps no other waiting, and gets its notes in their order later")
    func passedOver() throws {
        for text in ["a", "b"] { try world.owe(text) }
        try world.owe("x", other)
        world.refuses(acme)
        let all = world.deliverAll()
        world.rest()
        #expect(all.hasBroughtAll)
        #expect(world.passedOver == [acme])
        #expect(world.taken == ["x"] && world.directory.owedCount == 2)

        let one = world.deliver(to: acme)
        world.rest()
        guard case .untaken(.overloaded(.book))?? = one.wait() else {
            Issue.record("what the book says is told")
            return
        }
        world.refuses(nil)
        _ = world.deliverAll()
        world.rest()
        #expect(world.directory.owedCount == 0)
        #expect(try world.trail() == ["a", "b"])
    }

    @Test("What cannot be read, or is refused, is told and settled, and keeps nothing waiting")
    func unreadable() throws {
        try world.owe("torn")
        try world.owe("no credits")
        try world.owe("good")
        let back = world.deliver(to: acme)
        world.rest()
        #expect(back.hasBroughtAll)
        #expect(world.unread == 1)
        #expect(world.refusals.count == 1)
        #expect(world.directory.owedCount == 0)
        #expect(try world.trail() == ["good"])
    }

    @Test("A journal that fails leaves the note owed, and the next round brings it once")
    func journalFails() throws {
        try world.owe("a")
        world.engine.turn(of: .reader)
        world.journal.fail(.system(operation: "write", path: "/j", errno: 5))
        let failed = world.deliver(to: acme)
        world.rest()
        guard case .untaken(.unavailable)?? = failed.wait() else {
            Issue.record("the disk's fault is told")
            return
        }
        #expect(world.directory.owedCount == 1)
        world.journal.fail(nil)
        world.rest()
        let back = world.deliver(to: acme)
        world.rest()
        #expect(back.hasBroughtAll)
        #expect(world.directory.owedCount == 0)
        #expect(try world.trail() == ["a"])
    }

    @Test("A note that its book has, and that could not be settled, stays owed and has no second effect later")
    func directoryFails() throws {
        try world.owe("a")
        try world.owe("x", other)
        let (one, all) = (world.deliver(to: acme), world.deliverAll())
        world.closeDirectory()
        world.rest()
        guard case .unsettled?? = one.wait(), case .unread?? = all.wait() else {
            Issue.record("the directory's fault is told: \(String(describing: (one.wait(), all.wait())))")
            return
        }
        #expect(world.passedOver == [acme, other])
        try world.openDirectory()
        #expect(world.directory.owedCount == 2)
        _ = world.deliverAll()
        world.rest()
        #expect(world.directory.owedCount == 0)
        #expect(try world.trail() == ["a"])
    }
}

private let other = tenant(2)

extension Outcome where Value == CourierFault? {
    /// The courier is back, and nothing was in its way.
    fileprivate var hasBroughtAll: Bool { if case .some(.none) = wait() { true } else { false } }
}

/// A courier's office in which everything waits to be moved.
private final class CourierWorld: Sendable {
    private struct State {
        var directory: Directory
        var turns: [@Sendable () -> Void] = []
        var refusing: TenantID?
        var noteCount: UInt64 = 0
        var taken: [String] = []
        var passedOver: [TenantID] = []
        var unread = 0
        var refusals: [Refusal] = []
    }

    private let harness: Harness
    private let state: Protected<State>
    private let path: String

    init() throws {
        harness = try Harness {
            $0.workers = .byHand
            $0.limits.flushIntervalMs = 0
            $0.limits.probeIntervalMs = 0
        }
        path = harness.directory.path + "/directory.sqlite"
        state = Protected(State(directory: try Directory(path: path)))
        for id in [acme, other] {
            _ = try directory.createTenant(
                TenantRecord(id: id, plan: "", displayName: "", timeZone: "UTC", createdAt: Instant.zero))
        }
    }

    var engine: Engine { harness.engine }
    var journal: ScriptedJournal { harness.journal }
    var directory: Directory { state.withLock { $0.directory } }
    var turns: Int { state.withLock { $0.turns.count } }
    var taken: [String] { state.withLock { $0.taken } }
    var passedOver: [TenantID] { state.withLock { $0.passedOver } }
    var unread: Int { state.withLock { $0.unread } }
    var refusals: [Refusal] { state.withLock { $0.refusals } }

    func owe(_ text: String, _ tenant: TenantID = acme) throws {
        let number = state.withLock {
            $0.noteCount += 1
            return $0.noteCount
        }
        let note = DirectoryNote(
            id: randomID(Int(number)), tenant: tenant, body: Array(text.utf8), at: Instant.zero)
        _ = try directory.updateTenant(tenant) { _, _ in
            note
        } change: {
            $0.displayName = "\(number)"
        }
    }

    func refuses(_ tenant: TenantID?) { state.withLock { $0.refusing = tenant } }

    func closeDirectory() { directory.close() }

    func openDirectory() throws {
        let opened = try Directory(path: path)
        state.withLock { $0.directory = opened }
    }

    func deliver(to tenant: TenantID) -> Outcome<CourierFault?> {
        let outcome = Outcome<CourierFault?>()
        Courier(directory: directory, office: self).deliver(to: tenant, completion: outcome.completion)
        return outcome
    }

    func deliverAll() -> Outcome<CourierFault?> {
        let outcome = Outcome<CourierFault?>()
        Courier(directory: directory, office: self).deliverAll(completion: outcome.completion)
        return outcome
    }

    /// - Returns: false where the courier waits for others.
    func goOn() -> Bool {
        guard let turn = state.withLock({ $0.turns.isEmpty ? nil : $0.turns.removeFirst() }) else { return false }
        turn()
        return true
    }

    /// A journal that fails is tried again for ever: who goes on is looked at, and not the commit worker.
    func rest() {
        var idle = 0
        while idle < 3 {
            engine.turn(of: .commit)
            let hasRead = engine.turn(of: .reader)
            idle = goOn() || hasRead ? 0 : idle + 1
        }
    }

    /// What acme's audit trail tells of.
    func trail() throws -> [String] {
        let page = Outcome<Result<AuditPage, EngineError>>()
        engine.report(tenant: acme) { (shards, id) throws(StorageError) in
            try shards.audit(id, query: AuditQuery(limit: 1_000))
        } completion: {
            page.completion($0)
        }
        harness.settleByHand()
        return try #require(page.wait()).get().entries.reversed().compactMap(\.audit?.target)
    }
}

extension CourierWorld: CourierOffice {
    func command(of note: DirectoryNote) -> Command? {
        switch String(decoding: note.body, as: UTF8.self) {
        case "torn": nil
        case "no credits": reserve(note.id, 5)
        case let text:
            .note(NoteCommand(id: note.id, note: AuditNote(origin: CallOrigin(keyID: "k"), method: "m", target: text)))
        }
    }

    func submit(_ command: Command, tenant: TenantID, completion: @escaping StepCompletion) {
        if state.withLock({ $0.refusing == tenant }) { return completion(.failure(.overloaded(.book))) }
        if case .note(let note) = command { state.withLock { $0.taken.append(note.note.target) } }
        engine.submit(command, tenant: tenant, completion: completion)
    }

    func run(_ work: @escaping @Sendable () -> Void) { state.withLock { $0.turns.append(work) } }

    func cannotRead(_ note: DirectoryNote) { state.withLock { $0.unread += 1 } }

    func wasRefused(_ note: DirectoryNote, _ refusal: Refusal) { state.withLock { $0.refusals.append(refusal) } }

    func passedOver(_ tenant: TenantID, _ fault: CourierFault) { state.withLock { $0.passedOver.append(tenant) } }
}

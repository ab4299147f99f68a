import Engine
import Ledger
import SeededRandom
import SimulatedDisk
import Storage

/// A server on a damaged disk, asked for what the world knows. What is damaged must be found and named, or do no harm; nobody
/// else may suffer from it.
///
/// `@unchecked Sendable`: a simulation has one thread.
final class Drill: EngineObserver, @unchecked Sendable {
    private let world: World
    private let disk: SimulatedDisk
    private let damage: Damage
    private let victim: Tenant?
    /// It knows this object as its observer: `run` lets go of it.
    private var engine: Engine!
    private var found = "harmless"
    private(set) var wrong: String?

    init(_ world: World, _ disk: SimulatedDisk, _ damage: Damage, victim: Tenant?) {
        self.world = world
        self.disk = disk
        self.damage = damage
        self.victim = victim
    }

    /// - Returns: where the damage showed.
    func run() -> String {
        defer { engine = nil }
        do throws(StorageError) {
            try open()
        } catch {
            note(error, "a server does not start")
            return "start refused"
        }
        guard wrong == nil else { return "wrong" }
        var tenants = victim.map { [$0] } ?? []
        for _ in 0..<4 { if let other = world.random.pick(world.tenants), other !== victim { tenants.append(other) } }
        for tenant in tenants where wrong == nil { ask(tenant) }
        return wrong == nil ? found : "wrong"
    }

    private func open() throws(StorageError) {
        let journal = try LocalJournal(
            directory: "/data/journal", fileSystem: disk, segmentBytes: world.profile.segmentBytes, spares: .byHand,
            randomSalt: { 7 })
        let whole = world.records.count
        guard journal.durablePosition >= whole else {
            return wrong = "the journal ends at \(journal.durablePosition) of \(whole), and nothing is said"
        }
        try journal.replay(after: 0) { position, tenant, bytes in
            guard position <= whole else { return }
            let record = DurableRecords.Record(tenant: tenant, bytes: Array(bytes))
            if !world.records.isSame(record, at: position) { wrong = "record \(position) is served damaged" }
        }
        engine = try Engine(
            journal: journal,
            shards: ShardStore(path: "/data/shards", bounds: world.profile.shards, fileSystem: disk),
            clock: world.clock, rules: world.rules, configuration: world.profile.engine, observer: self)
    }

    // MARK: - Asking

    private func ask(_ tenant: Tenant) {
        engine.read(tenant: tenant.id) { state, _ in
            state.snapshot()
        } completion: { [unowned self] result in
            switch result {
            case .success(let snapshot): compare(snapshot, tenant)
            case .failure(let error): note(error, tenant)
            }
        }
        rest()
        let known = tenant.answers.keys.sorted { ($0.family.rawValue, $0.id) < ($1.family.rawValue, $1.id) }
        for _ in 0..<20 where wrong == nil {
            guard let key = world.random.pick(known) else { break }
            again(key, tenant)
        }
        rest()
        engine.report(tenant: tenant.id) { (shards, id) throws(StorageError) -> BookVerdict? in
            try shards.extent(id) == nil ? nil : try shards.verify(id)
        } completion: { [unowned self] result in
            switch result {
            case .success(let verdict): if let fault = verdict?.fault { noteFault(fault, tenant) }
            case .failure(let error): note(error, tenant)
            }
        }
        rest()
    }

    /// A book may have moved on by itself meanwhile: then it has more entries.
    private func compare(_ snapshot: BookSnapshot, _ tenant: Tenant) {
        guard snapshot.sequence >= tenant.book.sequence else {
            return wrong = "\(tenant.id) has \(snapshot.sequence) entries of \(tenant.book.sequence)"
        }
        guard snapshot.sequence == tenant.book.sequence else { return }
        if let difference = tenant.book.difference(from: snapshot) { wrong = "\(tenant.id): \(difference)" }
    }

    private func again(_ key: StepKey, _ tenant: Tenant) {
        guard let first = tenant.answers[key], let index = tenant.book.facts[key]?.success,
            let command = tenant.command(key, tenant.book.entries[index].fingerprint)
        else { return }
        engine.submit(command, tenant: tenant.id) { [unowned self] outcome in
            switch outcome {
            case .failure(let error): note(error, tenant)
            case .success(let result):
                if case .success(let answer) = result.outcome, answer == first, result.replayed { return }
                wrong = "\(tenant.id): \(command) was answered \(first), and now \(result)"
            }
        }
    }

    private func rest() {
        var idle = 0
        // A flush into a damaged shard is tried again and again.
        for _ in 0..<500 where idle < 5 && wrong == nil {
            var hadWork = false
            for worker in [EngineWorker.reader, .commit, .flush] where engine.turn(of: worker) { hadWork = true }
            idle = hadWork ? 0 : idle + 1
            if !hadWork { world.clock.pass(microseconds: 300_000) }
        }
    }

    // MARK: - What is said

    private func note(_ error: StorageError, _ what: String) {
        let text = error.description
        guard error.isCorruption || text.contains("missing") else { return wrong = "\(what), and calls it \(text)" }
        guard damage.names.contains(where: { text.contains($0) }) || isAbout(text) else {
            return wrong = "\(what), and does not name the file: \(text)"
        }
    }

    /// A log belongs to its file, and a segment that does not end where the next one begins is told by either.
    private func isAbout(_ text: String) -> Bool {
        damage.names.contains { path in
            text.contains(path.replacing("-wal", with: ""))
                || path.contains("/journal/") && text.contains("/data/journal/")
                || path.contains("manifest") && text.contains("manifest")
        } || victim.map { text.contains("tenant \($0.id)") } ?? false
    }

    private func note(_ error: EngineError, _ tenant: Tenant) {
        switch error {
        case .damaged(_, let error):
            guard tenant === victim || damage.kind == "manifest" else {
                return wrong = "\(tenant.id) suffers: \(error)"
            }
            found = "book damaged"
            note(error, "\(tenant.id) is damaged")
        case .overloaded, .callerGone: break
        case .unavailable(let why): wrong = "\(tenant.id) is unavailable: \(why)"
        case .stopping: wrong = "it stops"
        }
    }

    private func noteFault(_ fault: BookFault, _ tenant: Tenant) {
        guard tenant === victim || damage.kind == "manifest" else { return wrong = "\(tenant.id) suffers: \(fault)" }
        if found == "harmless" { found = "proof fails" }
    }

    func journalHealth(_ error: StorageError?) {}
    func shardsHealth(_ error: StorageError?) {}
    func storageFault(_ error: StorageError, tenant: TenantID?) {}
}

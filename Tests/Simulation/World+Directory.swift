import Ledger
import SeededRandom
import SimulatedDisk
import Storage

/// What is promised above the books.
struct Promises {
    var facts = DirectoryFacts()
    /// All notes that were ever made, and whose they are.
    var notes: [StepID: TenantID] = [:]
    /// Those that are owed for certain, the oldest first, and those that ever were.
    var open: [StepID] = []
    var all: Set<StepID> = []
    /// Of this process: those that may be settled at any moment, as the courier knows that their books have them.
    var told: Set<StepID> = []
    /// Those of which the courier has said that nobody can read them.
    var unread: Set<StepID> = []
    var count: UInt64 = 0
    var keyCount: UInt8 = 0

    mutating func isOwed(_ id: StepID) {
        open.append(id)
        all.insert(id)
    }
}

extension World {
    static let directoryFile = "/data/directory.sqlite"

    /// Somebody changes a tenant, its members, its keys, or the catalog.
    func register() {
        guard let directory, let tenant = random.pick(tenants) else { return }
        promises.count += 1
        let text = "text-\(promises.count)"
        guard directory.tenant(tenant.id) != nil else { return create(tenant.id, text, directory) }
        switch random.below(10) {
        case 0..<3:
            change(.name(tenant.id), to: text, of: tenant.id) { note throws(StorageError) in
                _ = try directory.updateTenant(tenant.id, note: { _, _ in note }) { $0.displayName = text }
            }
        case 3..<6: changeMember(of: tenant.id, to: text, directory)
        case 6..<9: changeKey(of: tenant.id, to: text, directory)
        default:
            change(.catalog, to: text, of: nil) { _ throws(StorageError) in
                _ = try directory.applyCatalog(Array(text.utf8), at: clock.now())
            }
        }
    }

    private func create(_ tenant: TenantID, _ name: String, _ directory: Directory) {
        let record = TenantRecord(
            id: tenant, plan: "free", displayName: name, timeZone: "UTC", createdAt: clock.now())
        change(.name(tenant), to: name, of: tenant) { note throws(StorageError) in
            _ = try directory.createTenant(record, note: note)
        }
    }

    private func changeMember(of tenant: TenantID, to role: String, _ directory: Directory) {
        let name = CommandMaker.members[random.number(1...3)]
        let id = MemberID(name)
        if directory.member(id, of: tenant) != nil, random.chance(30) {
            change(.member(tenant, name), to: "", of: tenant) { note throws(StorageError) in
                _ = try directory.removeMember(id, of: tenant, owning: []) { _ in note }
            }
        } else {
            let member = MemberRecord(memberID: id, role: role, displayName: name, createdAt: clock.now())
            change(.member(tenant, name), to: role, of: tenant) { note throws(StorageError) in
                _ = try directory.setMember(member, of: tenant, owning: []) { _, _ in note }
            }
        }
    }

    private func changeKey(of tenant: TenantID, to role: String, _ directory: Directory) {
        let old = UInt8(random.below(256))
        if let key = directory.key(forHash: KeyRecord.digest(old)), key.revokedAt == nil, let owner = key.tenant {
            change(.key(old), to: "revoked", of: owner) { note throws(StorageError) in
                _ = try directory.revokeKey(key.keyID, at: clock.now(), note: note)
            }
        } else if promises.keyCount < .max {
            promises.keyCount += 1
            let number = promises.keyCount
            let key = KeyRecord(
                keyID: "key-\(number)", tenant: tenant, role: role, name: "", digest: KeyRecord.digest(number),
                createdAt: clock.now())
            change(.key(number), to: role, of: tenant) { note throws(StorageError) in
                try directory.createKey(key, note: note)
            }
        }
    }

    /// Makes a change; what a tenant's book is to know of it is stored with it.
    private func change(
        _ fact: DirectoryFact, to value: String, of tenant: TenantID?,
        _ make: (DirectoryNote?) throws(StorageError) -> Void
    ) {
        let id = StepID(high: promises.count << 16 | 0x4000, low: random.next())
        let body = "\(random.chance(10) ? Self.torn : "note")-\(promises.count)"
        let note = tenant.map { DirectoryNote(id: id, tenant: $0, body: Array(body.utf8), at: clock.now()) }
        if let note { promises.notes[note.id] = note.tenant }
        var isCertain = false
        do throws(StorageError) {
            try make(note)
            isCertain = !disk.isDown
        } catch {
            if !hasStormed, !disk.isDown { fail("the directory takes nothing in good weather: \(error)") }
        }
        promises.facts.change(fact, to: value, isCertain: isCertain)
        if note != nil { promises.facts.change(.note(id), to: body, isCertain: isCertain) }
        guard isCertain else { return }
        count("registrations")
        lookAtLog()
        guard let tenant else { return }
        promises.isOwed(id)
        if random.chance(60) { sendCourier(to: tenant) }
    }

    /// What was answered stands in the file, where each page is checked, and not in the log alone.
    private func lookAtLog() {
        let log = Self.directoryFile + "-wal"
        if disk.bytes(log)?.isEmpty ?? true, disk.isDurable(log) {
            promises.facts.areInFile()
        } else if !hasStormed, !disk.isDown {
            fail("a change of the directory is left in its log in good weather")
        }
    }

    /// What a directory says that was opened again.
    func checkDirectory() {
        promises.told = []
        guard let directory, let glance = try? DirectoryGlance(directory), !disk.isDown else { return }
        for fact in promises.facts.all {
            let (found, known) = (glance.value(fact), promises.facts.values(fact))
            guard known.contains(found) else {
                return fail("the directory has \(found) as \(fact), and was given \(known)")
            }
            // What came with a crash is certain from now on.
            promises.facts.isFound(fact, found)
        }
        judge(owed: glance)
        for (id, _) in glance.owed where !promises.open.contains(id) { promises.isOwed(id) }
        promises.open.sort()
        lookAtLog()
    }

    /// A server on a copy whose directory, or its log, is damaged: it does not start, and says why, or knows everything.
    /// - Returns: where the damage showed.
    func drillDirectory(_ copy: SimulatedDisk, _ damage: Damage) -> String {
        do throws(StorageError) {
            let directory = try Directory(path: Self.directoryFile, fileSystem: copy)
            let glance = try DirectoryGlance(directory)
            var outcome = "harmless"
            for fact in promises.facts.all {
                let found = glance.value(fact)
                if promises.facts.values(fact).contains(found) { continue }
                // SQLite takes of a log what stands before the first frame that does not check, and cannot tell damage from
                // a write that a crash cut off. Only what a failing disk kept from its file stands there alone.
                guard damage.kind == "directory log", promises.facts.valuesSinceFile(fact).contains(found) else {
                    fail("the directory has \(found) as \(fact), and was given \(promises.facts.values(fact))")
                    break
                }
                outcome = "what no file had yet is lost"
            }
            directory.close()
            return outcome
        } catch {
            let isNamed = error.isCorruption && error.description.contains(Self.directoryFile)
            if !isNamed { fail("a server does not start, and calls it \(error)") }
            return "start refused"
        }
    }
}

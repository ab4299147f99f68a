import Ledger
import SeededRandom
import SimulatedDisk
import Storage

/// What is promised above the books, and the courier who brings it to them: each note once, whatever ends in between.
struct Promises {
    var facts = DirectoryFacts()
    /// Notes that the directory has said it owes.
    var owed: [StepID: TenantID] = [:]
    /// Notes that a book has said it took, and that are not settled yet.
    var delivered: [StepID] = []
    var count: UInt64 = 0
    var keyCount: UInt8 = 0
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
        let body = "note-\(promises.count)"
        let note = tenant.map { DirectoryNote(id: id, tenant: $0, body: Array(body.utf8), at: clock.now()) }
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
        if let tenant { promises.owed[id] = tenant }
        lookAtLog()
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

    /// The courier's next errand: settles what books have taken, and brings them what is owed.
    func runErrand() {
        guard let directory else { return }
        do throws(StorageError) {
            while let id = promises.delivered.first {
                promises.facts.change(.note(id), to: "", isCertain: false)
                try directory.settle(id)
                guard !disk.isDown else { return }
                promises.facts.change(.note(id), to: "", isCertain: true)
                promises.delivered.removeFirst()
            }
            for owed in try directory.outbox(limit: 5) {
                guard let tenant = byName[owed.note.tenant] else { return fail("a note for nobody is owed") }
                let note = AuditNote(
                    origin: CallOrigin(keyID: "root"), method: "tollgate.v1.Admin/UpdateTenant",
                    target: String(decoding: owed.note.body, as: UTF8.self))
                submit([.note(NoteCommand(id: owed.note.id, note: note))], tenant, errand: owed.note.id)
            }
        } catch {
            if !hasStormed, !disk.isDown { fail("the directory cannot be used in good weather: \(error)") }
        }
    }

    /// What a directory says that was opened again.
    func checkDirectory() {
        promises.delivered = []
        guard let directory, let glance = try? DirectoryGlance(directory), !disk.isDown else { return }
        for fact in promises.facts.all {
            let (found, known) = (glance.value(fact), promises.facts.values(fact))
            guard known.contains(found) else {
                return fail("the directory has \(found) as \(fact), and was given \(known)")
            }
            // What came with a crash is certain from now on.
            promises.facts.isFound(fact, found)
        }
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

    /// In the end every book has what it was promised.
    func checkPromises() {
        guard let directory else { return }
        for _ in 0..<1_000 where failure == nil && directory.owedCount > 0 {
            runErrand()
            comeToRest()
        }
        if directory.owedCount > 0 { fail("\(directory.owedCount) notes are never delivered") }
        for (id, tenant) in promises.owed.sorted(by: { $0.key < $1.key }) {
            guard byName[tenant]?.book.facts[StepKey(family: .note, id: id)]?.success != nil else {
                return fail("\(tenant) was promised the note \(id), and its book does not have it")
            }
        }
        count("notes delivered", promises.owed.count)
    }
}

import Ledger
import SeededRandom
import SimulatedDisk
import Storage

/// What is promised above the books, and the courier who brings it to them: each note once, whatever ends in between.
struct Promises {
    /// What a tenant is called: what was said last, and what may have been said since.
    var names: [TenantID: [String]] = [:]
    /// Notes that the directory has said it owes.
    var owed: [StepID: TenantID] = [:]
    /// Notes that a book has said it took, and that are not settled yet.
    var delivered: [StepID] = []
    var count: UInt64 = 0
}

extension World {
    /// Somebody changes a tenant; what its book is to know of that is stored with the change.
    func register() {
        guard let directory, let tenant = random.pick(tenants) else { return }
        promises.count += 1
        let name = "name-\(promises.count)"
        let id = StepID(high: promises.count << 16 | 0x4000, low: random.next())
        let note = DirectoryNote(id: id, tenant: tenant.id, body: Array(name.utf8), at: clock.now())
        do throws(StorageError) {
            if directory.tenant(tenant.id) == nil {
                let record = TenantRecord(
                    id: tenant.id, plan: "free", displayName: name, timeZone: "UTC", createdAt: clock.now())
                _ = try directory.createTenant(record, note: note)
            } else {
                _ = try directory.updateTenant(tenant.id, note: { _, _ in note }) { $0.displayName = name }
            }
            guard !disk.isDown else { return maybeNamed(tenant.id, name) }
            count("registrations")
            promises.names[tenant.id] = [name]
            promises.owed[id] = tenant.id
        } catch {
            maybeNamed(tenant.id, name)
            if !hasStormed, !disk.isDown { fail("the directory takes nothing in good weather: \(error)") }
        }
    }

    private func maybeNamed(_ tenant: TenantID, _ name: String) {
        promises.names[tenant, default: [""]].append(name)
    }

    /// The courier's next errand: settles what books have taken, and brings them what is owed.
    func runErrand() {
        guard let directory else { return }
        do throws(StorageError) {
            while let id = promises.delivered.first {
                try directory.settle(id)
                guard !disk.isDown else { return }
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
        guard let directory else { return }
        for (tenant, names) in promises.names.sorted(by: { $0.key < $1.key }) {
            let found = directory.tenant(tenant)?.displayName ?? ""
            guard names.contains(found) else {
                return fail("\(tenant) is called \(found), and was called \(names)")
            }
            // What came with a crash is certain from now on.
            promises.names[tenant] = [found]
        }
        promises.delivered = []
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

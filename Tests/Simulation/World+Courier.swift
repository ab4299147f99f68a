import Engine
import Ledger
import SeededRandom
import SimulatedDisk
import Storage

/// Where the true courier is.
struct Travels {
    /// The rounds on which somebody sent it.
    struct Round {
        /// Nil for all.
        let tenant: TenantID?
        /// What it must have brought when it is back.
        let notes: [StepID]
        /// The books that it has left out.
        var passedOver: Set<TenantID> = []
    }

    var courier: Courier?
    var rounds: [Int: Round] = [:]
    var roundCount = 0
    /// What it goes on with, each in a turn of its own.
    var turns: [@Sendable () -> Void] = []
    /// Who hears of the calls that it made, by their numbers.
    var errands: [Int: StepCompletion] = [:]
}

/// What the courier brings with a call, and what hears of it.
struct Errand {
    let note: StepID
    let completion: StepCompletion
}

/// The courier's office is the world, which has it go on when it likes.
struct Office: CourierOffice {
    unowned let world: World

    func command(of note: DirectoryNote) -> Command? {
        let text = String(decoding: note.body, as: UTF8.self)
        if text.hasPrefix(World.torn) { return nil }
        let trail = AuditNote(
            origin: CallOrigin(keyID: "root"), method: "tollgate.v1.Admin/UpdateTenant", target: text)
        return .note(NoteCommand(id: note.id, note: trail))
    }

    func submit(_ command: Command, tenant: TenantID, completion: @escaping StepCompletion) {
        world.bring(command, to: tenant, completion)
    }

    func run(_ work: @escaping @Sendable () -> Void) { world.travels.turns.append(work) }

    func cannotRead(_ note: DirectoryNote) { world.isUnread(note.id) }

    func wasRefused(_ note: DirectoryNote, _ refusal: Refusal) {
        world.fail("\(note.tenant) refuses the note \(note.id): \(refusal)")
    }

    func passedOver(_ tenant: TenantID, _ fault: CourierFault) { world.passedOver(tenant, fault) }
}

/// The true courier is sent out and moved on. Each note comes into its book once and in its order, none is owed for ever,
/// and none is settled before its book has it, whatever ends in between.
extension World {
    /// How a note begins that nobody can read.
    static let torn = "torn"

    /// Sends the courier to a tenant's book, or past all.
    func sendCourier(to tenant: TenantID?) {
        guard let courier = travels.courier, travels.rounds.count < 4, !disk.isDown else { return }
        count("rounds of the courier")
        travels.roundCount += 1
        let number = travels.roundCount
        let notes = promises.open.filter { tenant == nil || promises.notes[$0] == tenant }
        travels.rounds[number] = Travels.Round(tenant: tenant, notes: notes)
        let completion: @Sendable (CourierFault?) -> Void = { [unowned self, life] in isBack(number, life, $0) }
        if let tenant {
            courier.deliver(to: tenant, completion: completion)
        } else {
            courier.deliverAll(completion: completion)
        }
        lookAtOutbox()
    }

    /// The courier goes on with one of its rounds, and whatever the disk does then may be the last.
    /// - Returns: false where it cannot go on with any.
    @discardableResult
    func moveCourier() -> Bool {
        guard !travels.turns.isEmpty, !disk.isDown else { return false }
        if !isQuiet, random.chance(3) { callsToCrash = random.number(1...12) }
        travels.turns.remove(at: random.below(travels.turns.count))()
        count(disk.isDown ? "crashes in the courier's turns" : "turns of the courier")
        lookAtOutbox()
        return true
    }

    /// The process ends, and does not wait for its courier.
    func finishTravels() {
        while random.chance(80), moveCourier() {}
    }

    // MARK: - On its way

    fileprivate func bring(_ command: Command, to tenant: TenantID, _ completion: @escaping StepCompletion) {
        guard let id = command.key?.id, let owner = byName[tenant], promises.notes[id] == tenant else {
            return fail("the courier brings \(tenant) what nobody promised it: \(command)")
        }
        submit([command], owner, errand: Errand(note: id, completion: completion))
    }

    /// A call that the courier made is answered.
    func wasTold(_ note: StepID, _ call: Int, _ outcome: StepOutcome) {
        guard let completion = travels.errands.removeValue(forKey: call) else {
            return fail("the courier is told twice")
        }
        if case .success = outcome { maySettle(note) }
        completion(outcome)
    }

    fileprivate func isUnread(_ note: StepID) {
        count("notes that nobody can read")
        promises.unread.insert(note)
        maySettle(note)
    }

    private func maySettle(_ note: StepID) {
        guard promises.told.insert(note).inserted else { return }
        promises.facts.change(.note(note), to: "", isCertain: false)
    }

    fileprivate func passedOver(_ tenant: TenantID, _ fault: CourierFault) {
        guard !disk.isDown else { return }
        count("books passed over")
        judge(fault)
        for number in travels.rounds.keys where travels.rounds[number]!.tenant == nil {
            travels.rounds[number]!.passedOver.insert(tenant)
        }
    }

    private func isBack(_ number: Int, _ asked: Int, _ fault: CourierFault?) {
        guard asked == life, !disk.isDown, failure == nil else { return }
        guard let round = travels.rounds.removeValue(forKey: number) else {
            return fail("the courier is back from a round twice")
        }
        if let fault { return judge(fault) }
        lookAtOutbox()
        let left = round.notes.first { id in
            promises.open.contains(id) && !round.passedOver.contains(promises.notes[id]!)
        }
        if let left { fail("the courier is back, and still owes \(promises.notes[left]!) the note \(left)") }
    }

    /// Why books take nothing is judged where they say so.
    private func judge(_ fault: CourierFault) {
        switch fault {
        case .untaken: return
        case .unread(let error), .unsettled(let error):
            if !hasStormed, !disk.isDown { fail("the directory cannot be used in good weather: \(error)") }
        }
    }

    // MARK: - What it leaves behind

    /// Looks whether what was settled might be.
    private func lookAtOutbox() {
        guard let directory, !promises.open.isEmpty, !disk.isDown, failure == nil else { return }
        let before = isQuiet
        isQuiet = true
        defer { isQuiet = before }
        if let glance = try? DirectoryGlance(directory) { judge(owed: glance) }
    }

    /// What is owed no longer stands in its book.
    func judge(owed: DirectoryGlance) {
        for id in promises.open where owed.owed[id] == nil {
            let tenant = promises.notes[id]!
            if !has(tenant, id), !promises.unread.contains(id) {
                return fail("the note \(id) is settled, and \(tenant) does not have it")
            }
            promises.facts.change(.note(id), to: "", isCertain: true)
        }
        promises.open.removeAll { owed.owed[$0] == nil }
    }

    private func has(_ tenant: TenantID, _ note: StepID) -> Bool { place(of: note, tenant) != nil }

    private func place(of note: StepID, _ tenant: TenantID) -> Int? {
        byName[tenant]?.book.facts[StepKey(family: .note, id: note)]?.success
    }

    /// In the end every book has what it was promised, in the order of the promises.
    func checkPromises() {
        guard let directory else { return }
        for _ in 0..<1_000 where failure == nil && directory.owedCount > 0 {
            sendCourier(to: nil)
            comeToRest()
        }
        if directory.owedCount > 0 { fail("\(directory.owedCount) notes are never delivered") }
        var last: [TenantID: Int] = [:]
        for id in promises.all.sorted() where !promises.unread.contains(id) {
            let tenant = promises.notes[id]!
            guard let place = place(of: id, tenant) else {
                return fail("\(tenant) was promised the note \(id), and its book does not have it")
            }
            if place < last[tenant] ?? 0 { fail("\(tenant) has the note \(id) before an older one") }
            last[tenant] = place
        }
        count("notes delivered", promises.all.subtracting(promises.unread).count)
    }
}

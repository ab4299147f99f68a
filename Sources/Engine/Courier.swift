import Ledger
import Storage

/// Brings what the directory owes to the books, exactly once: each note under its own id, however often it is tried, the
/// oldest first, and settled only when its book has it durably.
///
/// It waits for nothing. It uses the directory's file only on the thread that sends it out, and in what it hands to its
/// office to run; so nothing that the engine calls waits for that file.
package struct Courier: Sendable {
    private let directory: Directory
    private let office: any CourierOffice

    package init(directory: Directory, office: any CourierOffice) {
        self.directory = directory
        self.office = office
    }

    /// Brings a tenant's book what it is owed, until nothing is left or something is in the way.
    package func deliver(to tenant: TenantID, completion: @escaping @Sendable (CourierFault?) -> Void) {
        goOn(Round(tenant: tenant, completion: completion))
    }

    /// Brings every book what it is owed. A book that takes nothing now keeps no other one waiting: the office hears of it, and
    /// what it is owed stays owed.
    /// - Parameter completion: told the fault where the directory cannot be read.
    package func deliverAll(completion: @escaping @Sendable (CourierFault?) -> Void) {
        goOn(Round(tenant: nil, completion: completion))
    }

    /// A way past what is owed to one book, or to all.
    private struct Round: Sendable {
        let tenant: TenantID?
        let completion: @Sendable (CourierFault?) -> Void
        /// The last place that was read, and what was read up to it and not brought yet.
        var place: Int64 = 0
        var notes: ArraySlice<OwedNote> = []
        /// Books that took something not: what came later must not be before it.
        var passedOver: Set<TenantID> = []
    }

    private func goOn(_ round: Round) {
        var round = round
        while true {
            while let owed = round.notes.popFirst() {
                if !round.passedOver.contains(owed.note.tenant) { return bring(owed.note, round) }
            }
            do throws(StorageError) {
                let owed = try directory.outbox(of: round.tenant, after: round.place)
                guard let last = owed.last else { return round.completion(nil) }
                round.place = last.place
                round.notes = owed[...]
            } catch {
                return round.completion(.unread(error))
            }
        }
    }

    private func bring(_ note: DirectoryNote, _ round: Round) {
        guard let command = office.command(of: note) else {
            office.cannotRead(note)
            return office.run { settle(note, round) }
        }
        office.submit(command, tenant: note.tenant) { outcome in
            office.run { wasBrought(note, outcome, round) }
        }
    }

    private func wasBrought(_ note: DirectoryNote, _ outcome: StepOutcome, _ round: Round) {
        switch outcome {
        case .success(let result):
            if case .failure(let refusal) = result.outcome { office.wasRefused(note, refusal) }
            settle(note, round)
        case .failure(let error): pass(note.tenant, .untaken(error), round)
        }
    }

    private func settle(_ note: DirectoryNote, _ round: Round) {
        do throws(StorageError) {
            try directory.settle(note.id)
        } catch {
            return pass(note.tenant, .unsettled(error), round)
        }
        goOn(round)
    }

    private func pass(_ tenant: TenantID, _ fault: CourierFault, _ round: Round) {
        if round.tenant != nil { return round.completion(fault) }
        office.passedOver(tenant, fault)
        var round = round
        round.passedOver.insert(tenant)
        goOn(round)
    }
}

/// What was in a courier's way. What it had not brought stays owed.
package enum CourierFault: Error, Sendable {
    /// The directory cannot say what it owes.
    case unread(StorageError)
    /// The book takes nothing now.
    case untaken(EngineError)
    /// The book has the note, and the directory cannot be told.
    case unsettled(StorageError)
}

/// Where a courier works: who knows what notes mean, has the books take them, and hears of what goes wrong.
package protocol CourierOffice: Sendable {
    /// The step that a note stands for; nil where it cannot be read.
    func command(of note: DirectoryNote) -> Command?

    /// Has a book do the step, as `Engine.submit` does: told when it is durable, once.
    func submit(_ command: Command, tenant: TenantID, completion: @escaping StepCompletion)

    /// Has the courier go on, which may wait for the directory's file: later, and on no thread of the engine.
    func run(_ work: @escaping @Sendable () -> Void)

    /// The note is settled all the same: it would keep those behind it waiting for ever.
    func cannotRead(_ note: DirectoryNote)

    /// The note is settled all the same: the book would say so each time.
    func wasRefused(_ note: DirectoryNote, _ refusal: Refusal)

    /// A round past all books leaves out what this one is owed.
    func passedOver(_ tenant: TenantID, _ fault: CourierFault)
}

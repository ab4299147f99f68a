import Engine
import Ledger
import RPC
import Storage

/// Brings what the directory owes to the books, exactly once: each step under its own id, however often it is tried, and
/// what a book has is settled.
final class BookCourier: Sendable {
    private let engine: Engine
    private let directory: Directory
    private let log: Logger

    init(engine: Engine, directory: Directory, log: Logger) {
        self.engine = engine
        self.directory = directory
        self.log = log
    }

    /// Says in the server's log what is above all tenants, and so in no book's trail.
    func tell(_ what: String, by origin: CallOrigin, _ target: String) {
        log.info(what, ["target": target, "key": origin.keyID, "actor": origin.actor, "address": origin.address])
    }

    /// Brings a tenant's book what it is owed, the oldest first.
    func deliver(to tenant: TenantID) async throws(RPCError) {
        while true {
            let owed: [OwedNote]
            do throws(StorageError) {
                owed = try directory.outbox(of: tenant)
            } catch {
                throw .storageUnavailable("the directory cannot be read: \(error)")
            }
            if owed.isEmpty { return }
            for owed in owed { try await deliver(owed.note) }
        }
    }

    /// The same, for a change that stands whatever becomes of its note: that stays owed, and the next one tries again.
    func tryToDeliver(to tenant: TenantID) async {
        do throws(RPCError) {
            try await deliver(to: tenant)
        } catch {
            log.warning(
                "a book could not be told of a change; it will be", ["tenant": "\(tenant)", "reason": error.message])
        }
    }

    /// Brings every book what it is owed. A book that takes nothing now keeps no other one waiting.
    func deliverAll() async {
        var failed: Set<TenantID> = []
        var place: Int64 = 0
        while true {
            let owed: [OwedNote]
            do throws(StorageError) {
                owed = try directory.outbox(after: place)
            } catch {
                return log.error("what is owed to books cannot be read", ["reason": error.description])
            }
            guard let last = owed.last else { return }
            place = last.place
            for owed in owed where !failed.contains(owed.note.tenant) {
                do throws(RPCError) {
                    try await deliver(owed.note)
                } catch {
                    failed.insert(owed.note.tenant)
                    log.warning(
                        "a book could not be told of a change; it will be",
                        ["tenant": "\(owed.note.tenant)", "reason": error.message])
                }
            }
        }
    }

    private func deliver(_ note: DirectoryNote) async throws(RPCError) {
        if let step = OwedStep(bytes: note.body) {
            do throws(EngineError) {
                let result = try await engine.submit(step.command(id: note.id), tenant: note.tenant).get()
                if case .failure(let refusal) = result.outcome {
                    log.error(
                        "a book refused what the directory had promised",
                        ["tenant": "\(note.tenant)", "refusal": "\(refusal)"])
                }
            } catch {
                throw RPCError(error)
            }
        } else {
            log.error("a note that is owed cannot be read", ["tenant": "\(note.tenant)", "id": "\(note.id)"])
        }
        do throws(StorageError) {
            try directory.settle(note.id)
        } catch {
            throw .storageUnavailable("the directory cannot be written: \(error)")
        }
    }
}

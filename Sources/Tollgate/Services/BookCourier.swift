import Engine
import Ledger
import RPC
import Storage

/// The engine's `Courier` for handlers that run in a task of their own: it brings what the directory owes to the books,
/// exactly once, and the server's log hears what was in its way.
final class BookCourier: Sendable {
    private let courier: Courier
    private let log: Logger

    init(engine: Engine, directory: Directory, log: Logger) {
        courier = Courier(directory: directory, office: Office(engine: engine, log: log))
        self.log = log
    }

    /// Says in the server's log what is above all tenants, and so in no book's trail.
    func tell(_ what: String, by origin: CallOrigin, _ target: String) {
        log.info(what, ["target": target, "key": origin.keyID, "actor": origin.actor, "address": origin.address])
    }

    /// Brings a tenant's book what it is owed, the oldest first.
    func deliver(to tenant: TenantID) async throws(RPCError) {
        let fault = await withCheckedContinuation { continuation in
            courier.deliver(to: tenant) { continuation.resume(returning: $0) }
        }
        if let fault { throw RPCError(fault) }
    }

    /// The same, for a change that stands whatever becomes of its note: that stays owed, and the next one tries again.
    func tryToDeliver(to tenant: TenantID) async {
        do throws(RPCError) {
            try await deliver(to: tenant)
        } catch {
            log.willBeTold(tenant, error)
        }
    }

    /// Brings every book what it is owed. A book that takes nothing now keeps no other one waiting.
    func deliverAll() async {
        let fault = await withCheckedContinuation { continuation in
            courier.deliverAll { continuation.resume(returning: $0) }
        }
        if case .unread(let error) = fault {
            log.error("what is owed to books cannot be read", ["reason": error.description])
        }
    }
}

private struct Office: CourierOffice {
    let engine: Engine
    let log: Logger

    func command(of note: DirectoryNote) -> Command? { OwedStep(bytes: note.body)?.command(id: note.id) }

    func submit(_ command: Command, tenant: TenantID, completion: @escaping StepCompletion) {
        engine.submit(command, tenant: tenant, completion: completion)
    }

    func run(_ work: @escaping @Sendable () -> Void) { Task { work() } }

    func cannotRead(_ note: DirectoryNote) {
        log.error("a note that is owed cannot be read", ["tenant": "\(note.tenant)", "id": "\(note.id)"])
    }

    func wasRefused(_ note: DirectoryNote, _ refusal: Refusal) {
        log.error(
            "a book refused what the directory had promised", ["tenant": "\(note.tenant)", "refusal": "\(refusal)"])
    }

    func passedOver(_ tenant: TenantID, _ fault: CourierFault) { log.willBeTold(tenant, RPCError(fault)) }
}

extension Logger {
    fileprivate func willBeTold(_ tenant: TenantID, _ error: RPCError) {
        warning("a book could not be told of a change; it will be", ["tenant": "\(tenant)", "reason": error.message])
    }
}

extension RPCError {
    fileprivate init(_ fault: CourierFault) {
        self =
            switch fault {
            case .unread(let error): .storageUnavailable("the directory cannot be read: \(error)")
            case .untaken(let error): RPCError(error)
            case .unsettled(let error): .storageUnavailable("the directory cannot be written: \(error)")
            }
    }
}

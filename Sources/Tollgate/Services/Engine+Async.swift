import Engine
import Ledger
import RPC
import Storage
import Synchronization

/// The engine for handlers that run in a task of their own.
extension Engine {
    func submit(_ command: Command, tenant: TenantID) async -> Result<StepResult, EngineError> {
        await withCheckedContinuation { continuation in
            submit(command, tenant: tenant) { continuation.resume(returning: $0) }
        }
    }

    func read<Value: Sendable>(
        tenant: TenantID, _ body: @escaping @Sendable (borrowing LedgerState, Instant) -> Value
    ) async throws(RPCError) -> Value {
        let result = await withCheckedContinuation { continuation in
            read(tenant: tenant, body) { continuation.resume(returning: $0) }
        }
        return try result.orStatus()
    }

    func report<Value: Sendable>(
        tenant: TenantID, _ body: @escaping @Sendable (ShardStore, TenantID) throws(StorageError) -> Value
    ) async throws(RPCError) -> Value {
        let caller = TaskCaller()
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                report(tenant: tenant, caller: caller, body) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            caller.leave()
        }
        return try result.orStatus()
    }
}

/// A task that waits: it is cancelled when its call is over.
private final class TaskCaller: StepCaller {
    private let isGone = Atomic(false)

    var hasGone: Bool { isGone.load(ordering: .relaxed) }

    func leave() { isGone.store(true, ordering: .relaxed) }
}

extension Result where Failure == EngineError {
    fileprivate func orStatus() throws(RPCError) -> Success {
        do throws(EngineError) {
            return try get()
        } catch {
            throw RPCError(error)
        }
    }
}

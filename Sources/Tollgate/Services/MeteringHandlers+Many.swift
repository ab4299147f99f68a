import Engine
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

extension MeteringHandlers {
    func batch(_ request: BatchRequest, call: DirectCall<BatchResponse>) {
        do throws(RPCError) {
            let access = try call.context.tenantAccess()
            guard (1...Limits.maxBatchSteps).contains(request.steps.count) else {
                throw RPCError(InvalidField("steps", "must be 1 to \(Limits.maxBatchSteps) steps"))
            }
            let results = BatchResults(count: request.steps.count, call: call)
            for (index, step) in request.steps.enumerated() {
                submit(step, access, queue: call.completionQueue) { results.set(index, $0) }
            }
        } catch {
            call.fail(error)
        }
    }

    func meter(
        requests: RequestStream<MeterRequest>, response: ResponseWriter<MeterResponse>, context: ServerContext
    ) async throws {
        let access = try context.tenantAccess()
        let window = MeterWindow(limit: Limits.maxMeterStepsUnderWay)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await answer in window.answers {
                    try await response.write(answer)
                    window.written()
                }
            }
            var ending: (any Error)?
            do {
                for try await request in requests {
                    await window.enter()
                    let tag = request.tag
                    submit(request.step ?? Step(), access, queue: nil) { result in
                        window.answered(
                            .with {
                                $0.tag = tag
                                $0.result = result
                            })
                    }
                }
            } catch {
                // The server drains: what was taken is answered before the stream says so.
                ending = error
            }
            await window.finish()
            try await group.waitForAll()
            if let ending { throw ending }
        }
    }

    /// Does one step of a batch or a stream; its result tells of it as a call of its own would.
    private func submit(
        _ step: Step, _ access: TenantAccess, queue: (any CompletionQueue)?,
        completion: @escaping @Sendable (TollgateSchema.StepResult) -> Void
    ) {
        do throws(RPCError) {
            let (command, tell) = try read(step, access)
            engine.submit(command, tenant: access.tenant, queue: queue) { result in
                do throws(RPCError) {
                    let (answer, replayed) = try answer(of: result)
                    completion(.with { $0.kind = tell(answer, replayed) })
                } catch {
                    completion(.with { $0.kind = .error(error.status) })
                }
            }
        } catch {
            completion(.with { $0.kind = .error(error.status) })
        }
    }

    private typealias Tell = @Sendable (StepAnswer, Bool) -> TollgateSchema.StepResult.Kind

    private func read(_ step: Step, _ access: TenantAccess) throws(RPCError) -> (Command, Tell) {
        // The table of permissions lets Batch and Meter in with that of metering; a refund among their steps needs its own.
        if case .refund = step.kind { try access.require(.refund) }
        return try checked { () throws(InvalidField) in try command(of: step, access) }
    }

    private func command(of step: Step, _ access: TenantAccess) throws(InvalidField) -> (Command, Tell) {
        switch step.kind {
        case .reserve(let request):
            (try steps.reserve(request, actor: access.actor), { .reserve(ReserveResponse($0, replayed: $1)) })
        case .commit(let request):
            (try steps.commit(request), { .commit(CommitResponse($0, replayed: $1)) })
        case .release(let request):
            (try steps.release(request), { .release(ReleaseResponse($0, replayed: $1)) })
        case .refund(let request):
            (try steps.refund(request), { .refund(RefundResponse($0, replayed: $1)) })
        case .extend(let request):
            (try steps.extend(request), { .extend(ExtendResponse($0, replayed: $1)) })
        case .charge(let request):
            (try steps.charge(request, actor: access.actor), { .charge(ChargeResponse($0, replayed: $1)) })
        case nil:
            throw InvalidField("step", "must be one of reserve, commit, release, refund, extend and charge")
        }
    }
}

import Engine
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// `tollgate.v1.Metering`: each call reads its request, hands the step to the engine, and answers when it is durable.
struct MeteringHandlers: MeteringService {
    let engine: Engine
    let steps: StepReader

    func reserve(_ request: ReserveRequest, call: DirectCall<ReserveResponse>) {
        step(call) { (access) throws(InvalidField) in try steps.reserve(request, actor: access.actor) }
    }

    func commit(_ request: CommitRequest, call: DirectCall<CommitResponse>) {
        step(call) { (_) throws(InvalidField) in try steps.commit(request) }
    }

    func release(_ request: ReleaseRequest, call: DirectCall<ReleaseResponse>) {
        step(call) { (_) throws(InvalidField) in try steps.release(request) }
    }

    func refund(_ request: RefundRequest, call: DirectCall<RefundResponse>) {
        step(call) { (_) throws(InvalidField) in try steps.refund(request) }
    }

    func extend(_ request: ExtendRequest, call: DirectCall<ExtendResponse>) {
        step(call) { (_) throws(InvalidField) in try steps.extend(request) }
    }

    func charge(_ request: ChargeRequest, call: DirectCall<ChargeResponse>) {
        step(call) { (access) throws(InvalidField) in try steps.charge(request, actor: access.actor) }
    }

    private func step<Response: StepResponse>(
        _ call: DirectCall<Response>, _ read: (TenantAccess) throws(InvalidField) -> Command
    ) {
        do throws(RPCError) {
            let access = try call.context.tenantAccess()
            let command = try checked { () throws(InvalidField) in try read(access) }
            engine.submit(command, tenant: access.tenant, queue: call.completionQueue) { result in
                do throws(RPCError) {
                    let (answer, replayed) = try answer(of: result)
                    call.respond(Response(answer, replayed: replayed))
                } catch {
                    call.fail(error)
                }
            }
        } catch {
            call.fail(error)
        }
    }
}

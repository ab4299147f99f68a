import Engine
import Ledger
import Protobuf
import RPC
import TollgateSchema

extension MeteringHandlers {
    /// All steps of a batch are read to the end before the first is done.
    func batch(_ bytes: UnsafeRawBufferPointer, _ call: DirectCall<BatchResponse>) throws(WireError) {
        let access: Result<TenantAccess, RPCError> = Result { () throws(RPCError) in try call.context.tenantAccess() }
        var requests = StepRequests()
        // Those over the bound are counted and not kept; where nobody may do them none is.
        let count = try requests.readBatch(
            bytes, units: access.units, keeping: access.isSuccess ? Limits.maxBatchSteps : 0)
        do throws(RPCError) {
            let access = try access.get()
            guard (1...Limits.maxBatchSteps).contains(count) else {
                throw RPCError(InvalidField("steps", "must be 1 to \(Limits.maxBatchSteps) steps"))
            }
            let run = StepsRun(
                requests, from: .batch(bytes), access: access, prices: access.principal.prices, context: call.context
            ) { answers, _ in
                answers.withUnsafeBytes { bytes in call.respond(encoding: { $0.putRaw(bytes) }) }
            }
            engine.submit(run, tenant: access.tenant)
        } catch {
            call.fail(error)
        }
    }
}

extension Result<TenantAccess, RPCError> {
    /// The names of units to look a request's own up in. One that nobody may make is read all the same.
    fileprivate var units: NameTable<String> {
        switch self {
        case .success(let access): access.principal.prices.units
        case .failure: TenantPrices.none.units
        }
    }

    fileprivate var isSuccess: Bool {
        if case .success = self { true } else { false }
    }
}

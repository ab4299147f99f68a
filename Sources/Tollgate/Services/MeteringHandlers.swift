import Engine
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// `tollgate.v1.Metering`: each call reads its request, hands the step to the engine, and answers when it is durable.
///
/// The steps read their requests in place and write their answers by hand, and so are registered by hand too.
struct MeteringHandlers: Sendable {
    let engine: Engine
    let catalogs: CatalogKeeper
    let steps = StepReader()

    func register(in registry: ServiceRegistry) {
        registry.direct(MeteringMethods.reserve, reading: ReserveRequest.self) {
            (bytes, call: DirectCall<ReserveResponse>) throws(WireError) in try step(.reserve, bytes, call)
        }
        registry.direct(MeteringMethods.commit, reading: CommitRequest.self) {
            (bytes, call: DirectCall<CommitResponse>) throws(WireError) in try step(.commit, bytes, call)
        }
        registry.direct(MeteringMethods.release, reading: ReleaseRequest.self) {
            (bytes, call: DirectCall<ReleaseResponse>) throws(WireError) in try step(.release, bytes, call)
        }
        registry.direct(MeteringMethods.refund, reading: RefundRequest.self) {
            (bytes, call: DirectCall<RefundResponse>) throws(WireError) in try step(.refund, bytes, call)
        }
        registry.direct(MeteringMethods.extend, reading: ExtendRequest.self) {
            (bytes, call: DirectCall<ExtendResponse>) throws(WireError) in try step(.extend, bytes, call)
        }
        registry.direct(MeteringMethods.charge, reading: ChargeRequest.self) {
            (bytes, call: DirectCall<ChargeResponse>) throws(WireError) in try step(.charge, bytes, call)
        }
        registry.direct(MeteringMethods.batch, reading: BatchRequest.self) {
            (bytes, call: DirectCall<BatchResponse>) throws(WireError) in try batch(bytes, call)
        }
        registry.directStream(MeteringMethods.meter) { stream throws(RPCError) in
            MeterStream(stream, handlers: self, access: try stream.context.tenantAccess())
        }
        registry.direct(MeteringMethods.quote) { quote($0, call: $1) }
        registry.direct(MeteringMethods.getReservation) { getReservation($0, call: $1) }
        registry.direct(MeteringMethods.listReservations) { listReservations($0, call: $1) }
    }

    private func step<Response: Message>(
        _ kind: StepKind, _ bytes: UnsafeRawBufferPointer, _ call: DirectCall<Response>
    ) throws(WireError) {
        let access: Result<TenantAccess, RPCError> = Result { () throws(RPCError) in try call.context.tenantAccess() }
        let request = try StepRequest(kind, bytes, units: access.units)
        do throws(RPCError) {
            let access = try access.get()
            let command = try command(request, access, access.principal.prices)
            engine.submit(command, tenant: access.tenant, queue: call.completionQueue, caller: call.context.caller) {
                result in
                call.answer(kind, with: result)
            }
        } catch {
            call.fail(error)
        }
    }

    /// The command of a request, once its fields are checked.
    func command(
        _ request: borrowing StepRequest, _ access: TenantAccess, _ prices: TenantPrices
    ) throws(RPCError) -> Command {
        do throws(InvalidField) {
            return try steps.command(request, origin: access.origin, prices: prices)
        } catch {
            throw RPCError(error)
        }
    }
}

extension Result<TenantAccess, RPCError> {
    /// The names of units to look a request's own up in. One that nobody may make is read all the same.
    var units: NameTable<String> {
        switch self {
        case .success(let access): access.principal.prices.units
        case .failure: TenantPrices.none.units
        }
    }
}

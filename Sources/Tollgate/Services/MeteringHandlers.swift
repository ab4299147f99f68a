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
        registry.bare(MeteringMethods.reserve, reading: ReserveRequest.self) {
            (bytes, call) throws(WireError) in try step(.reserve, bytes, call)
        }
        registry.bare(MeteringMethods.commit, reading: CommitRequest.self) {
            (bytes, call) throws(WireError) in try step(.commit, bytes, call)
        }
        registry.bare(MeteringMethods.release, reading: ReleaseRequest.self) {
            (bytes, call) throws(WireError) in try step(.release, bytes, call)
        }
        registry.bare(MeteringMethods.refund, reading: RefundRequest.self) {
            (bytes, call) throws(WireError) in try step(.refund, bytes, call)
        }
        registry.bare(MeteringMethods.extend, reading: ExtendRequest.self) {
            (bytes, call) throws(WireError) in try step(.extend, bytes, call)
        }
        registry.bare(MeteringMethods.charge, reading: ChargeRequest.self) {
            (bytes, call) throws(WireError) in try step(.charge, bytes, call)
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

    /// The call itself listens for what comes of its step: see `ServerCall+Steps`.
    private func step(_ kind: StepKind, _ bytes: UnsafeRawBufferPointer, _ call: ServerCall) throws(WireError) {
        let principal = call.context.principal(as: Principal.self)
        let request = try StepRequest(kind, bytes, units: (principal?.prices ?? .none).units)
        do throws(RPCError) {
            let (principal, seat) = try call.context.tenantPrincipal()
            let command = try command(
                request, origin: principal.origin(from: call.context.peer), prices: principal.prices)
            call.handlerNote = kind.tag
            engine.submit(command, from: seat, for: call)
        } catch {
            call.complete(error)
        }
    }

    /// The command of a request, once its fields are checked.
    func command(
        _ request: borrowing StepRequest, origin: CallOrigin, prices: TenantPrices
    ) throws(RPCError) -> Command {
        do throws(InvalidField) {
            return try steps.command(request, origin: origin, prices: prices)
        } catch {
            throw RPCError(error)
        }
    }
}

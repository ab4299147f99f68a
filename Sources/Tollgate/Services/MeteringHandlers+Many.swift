import Engine
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// The steps of a batch or of a turn of a stream, read. What the engine is to do stands apart from the places of the answers,
/// so that neither is copied out of the other.
struct ReadSteps: Sendable {
    /// Whose answer comes here: the next step's that the engine was given, or nobody's, since this one was refused before.
    enum Place: Sendable {
        case step(StepKind)
        case refused(RPCError)
    }

    private(set) var places: [Place] = []
    private(set) var commands: [Command] = []

    mutating func add(_ kind: StepKind, _ command: Command) {
        places.append(.step(kind))
        commands.append(command)
    }

    mutating func refuse(_ error: RPCError) { places.append(.refused(error)) }
}

extension [ReadSteps.Place] {
    /// Calls `body` for each place, in their order, with what writes the fields of its `StepResult`.
    ///
    /// - Parameter results: Those of the commands.
    func forEachAnswer(
        _ results: [StepOutcome],
        _ body: (_ index: Int, _ write: (inout WireWriter) -> Void) -> Void
    ) {
        var next = 0
        for (index, place) in enumerated() {
            switch place {
            case .step(let kind):
                body(index) { $0.put(results[next], of: kind) }
                next += 1
            case .refused(let error):
                body(index) { $0.put(error) }
            }
        }
    }
}

extension MeteringHandlers {
    func batch(_ bytes: UnsafeRawBufferPointer, _ call: DirectCall<BatchResponse>) throws(WireError) {
        let access: Result<TenantAccess, RPCError> = Result { () throws(RPCError) in try call.context.tenantAccess() }
        let (steps, count) = try read(bytes, access)
        do throws(RPCError) {
            let access = try access.get()
            guard (1...Limits.maxBatchSteps).contains(count) else {
                throw RPCError(InvalidField("steps", "must be 1 to \(Limits.maxBatchSteps) steps"))
            }
            submit(steps, access, call)
        } catch {
            call.fail(error)
        }
    }

    /// All steps of a `BatchRequest`, which is read to its end before the first is done. Those over the bound are counted
    /// and not kept; where nobody may do them none is.
    private func read(
        _ bytes: UnsafeRawBufferPointer, _ access: Result<TenantAccess, RPCError>
    ) throws(WireError) -> (steps: ReadSteps, count: Int) {
        var steps = ReadSteps()
        var count = 0
        var reader = try WireReader(bytes)
        while let tag = try reader.nextTag() {
            guard tag == 10 else {
                try reader.skip(tag)
                continue
            }
            try reader.nested { (reader) throws(WireError) in
                let request = try readStep(&reader, units: access.units)
                count += 1
                guard case .success(let access) = access, count <= Limits.maxBatchSteps else { return }
                add(request, access, access.principal.prices, to: &steps)
            }
        }
        return (steps, count)
    }

    private func submit(_ steps: ReadSteps, _ access: TenantAccess, _ call: DirectCall<BatchResponse>) {
        engine.submit(
            steps.commands, tenant: access.tenant, queue: call.completionQueue, caller: call.context.caller
        ) { [places = steps.places] in
            let results = $0
            call.respond(encoding: { response in
                places.forEachAnswer(results) { (_, write) in response.write(nested: 10, write) }
            })
        }
    }

    /// The fields of a `Step`: the last of its choices, merged with what came of the same one before; nil where there is
    /// none.
    func readStep(
        _ reader: inout WireReader, units: NameTable<String>, after earlier: StepRequest? = nil
    ) throws(WireError) -> StepRequest? {
        var request = earlier
        while let tag = try reader.nextTag() {
            guard let kind = StepKind(tag: tag) else {
                try reader.skip(tag)
                continue
            }
            if request?.kind != kind { request = StepRequest(kind) }
            try reader.nested { (reader) throws(WireError) in try request!.decode(from: &reader, units: units) }
        }
        return request
    }

    /// Adds a step to those that are to be done, or why it is not.
    func add(
        _ request: StepRequest?, _ access: TenantAccess, _ prices: TenantPrices, to steps: inout ReadSteps
    ) {
        do throws(RPCError) {
            guard let request else {
                throw RPCError(
                    InvalidField("step", "must be one of reserve, commit, release, refund, extend and charge"))
            }
            // The table of permissions lets Batch and Meter in with that of metering; a refund among their steps needs its
            // own.
            if request.kind == .refund { try access.require(.refund, calling: MeteringMethods.refund) }
            steps.add(request.kind, try command(request, origin: access.origin, prices: prices))
        } catch {
            steps.refuse(error)
        }
    }
}

extension StepKind {
    /// The choice of `Step` with this tag.
    init?(tag: UInt32) {
        switch tag {
        case 10: self = .reserve
        case 18: self = .commit
        case 26: self = .release
        case 34: self = .refund
        case 42: self = .extend
        case 50: self = .charge
        default: return nil
        }
    }
}

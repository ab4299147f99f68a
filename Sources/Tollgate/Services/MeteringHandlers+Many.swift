import Engine
import Ledger
import Protobuf
import RPC
import Storage
import TollgateSchema

/// One step of a batch or a stream, read: what the engine is to do, or why it is not asked.
enum ReadStep: Sendable {
    case command(StepKind, Command)
    case refused(RPCError)
}

extension [ReadStep] {
    /// What the engine is asked to do.
    var commands: [Command] {
        compactMap { step in
            if case .command(_, let command) = step { command } else { nil }
        }
    }

    /// Calls `body` for each step, in their order, with what writes the fields of its `StepResult`.
    ///
    /// - Parameter results: Those of `commands`.
    func forEachAnswer(
        _ results: [StepOutcome],
        _ body: (_ index: Int, _ write: (inout WireWriter) -> Void) -> Void
    ) {
        var rest = results[...]
        for (index, step) in enumerated() {
            switch step {
            case .command(let kind, _):
                let result = rest.removeFirst()
                body(index) { $0.put(result, of: kind) }
            case .refused(let error):
                body(index) { $0.put(error) }
            }
        }
    }
}

extension MeteringHandlers {
    func batch(_ bytes: UnsafeRawBufferPointer, _ call: DirectCall<BatchResponse>) throws(WireError) {
        let access: Result<TenantAccess, RPCError> = Result { () throws(RPCError) in try call.context.tenantAccess() }
        let (steps, count) = try read(bytes, try? access.get())
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
        _ bytes: UnsafeRawBufferPointer, _ access: TenantAccess?
    ) throws(WireError) -> (steps: [ReadStep], count: Int) {
        var steps: [ReadStep] = []
        var count = 0
        var reader = try WireReader(bytes)
        while let tag = try reader.nextTag() {
            guard tag == 10 else {
                try reader.skip(tag)
                continue
            }
            try reader.nested { (reader) throws(WireError) in
                let request = try readStep(&reader)
                count += 1
                guard let access, count <= Limits.maxBatchSteps else { return }
                steps.append(check(request, access))
            }
        }
        return (steps, count)
    }

    private func submit(_ steps: [ReadStep], _ access: TenantAccess, _ call: DirectCall<BatchResponse>) {
        engine.submit(steps.commands, tenant: access.tenant, queue: call.completionQueue) { results in
            call.respond(encoding: { response in
                steps.forEachAnswer(results) { (_, write) in response.write(nested: 10, write) }
            })
        }
    }

    /// The fields of a `Step`: the last of its choices, merged with what came of the same one before; nil where there is
    /// none.
    func readStep(_ reader: inout WireReader, after earlier: StepRequest? = nil) throws(WireError) -> StepRequest? {
        var request = earlier
        while let tag = try reader.nextTag() {
            guard let kind = StepKind(tag: tag) else {
                try reader.skip(tag)
                continue
            }
            var merged = request?.kind == kind ? request! : StepRequest(kind)
            try reader.nested { (reader) throws(WireError) in try merged.decode(from: &reader, units: steps.units) }
            request = merged
        }
        return request
    }

    /// What is to be done for a step of many.
    func check(_ request: StepRequest?, _ access: TenantAccess) -> ReadStep {
        do throws(RPCError) {
            guard let request else {
                throw RPCError(
                    InvalidField("step", "must be one of reserve, commit, release, refund, extend and charge"))
            }
            // The table of permissions lets Batch and Meter in with that of metering; a refund among their steps needs its
            // own.
            if request.kind == .refund { try access.require(.refund) }
            return .command(request.kind, try command(request, access))
        } catch {
            return .refused(error)
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

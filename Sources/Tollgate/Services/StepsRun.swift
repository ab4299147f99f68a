import Engine
import Ledger
import Protobuf
import RPC
import TollgateSchema

/// The steps of a batch, or those that one turn of the loop reads from a stream, on their way through the engine. Their requests
/// lie where they were read; each becomes a command when its turn has come, and its answer is written when it is decided. The
/// answers leave when all of the steps are settled.
///
/// `@unchecked Sendable`: what the engine calls under the lock of the tenant's book touches nothing that `settled` does, which is
/// called on the loop; what is told at the end is no longer written then. `@exclusivity(unchecked)`: as in `Partition`.
final class StepsRun: StepsListener, @unchecked Sendable {
    /// From where the steps come, and where their requests lie.
    enum Source {
        /// From a `BatchRequest`, valid within the call that brings it. Answers are `BatchResponse.results`.
        case batch(UnsafeRawBufferPointer)
        /// From a `Meter` stream, with their tags. Answers are `MeterResponse`s.
        case stream(StepBytes, tags: [UInt64])
    }

    private let access: TenantAccess
    private let prices: TenantPrices
    private let context: ServerContext
    private let completion: (borrowing WireWriter, [Int]) -> Void
    private let reader = StepReader()

    @exclusivity(unchecked) private var requests: StepRequests
    private let source: Source
    /// What a batch's bytes were copied to.
    @exclusivity(unchecked) private var kept: StepBytes?
    /// Why steps are refused before the ledger sees them.
    @exclusivity(unchecked) private var refusals: [Int: RPCError] = [:]
    /// The answers of the steps that were decided, and where each ends.
    @exclusivity(unchecked) private var answers = WireWriter()
    @exclusivity(unchecked) private var ends: [Int] = []

    private var settledCount = 0
    private var failures: [(steps: Range<Int>, error: EngineError)] = []

    /// - Parameter completion: Called once on the loop, with the answers and where each of them ends.
    init(
        _ requests: consuming StepRequests, from source: Source, access: TenantAccess, prices: TenantPrices,
        context: ServerContext, completion: @escaping (borrowing WireWriter, [Int]) -> Void
    ) {
        self.requests = requests
        self.source = source
        self.access = access
        self.prices = prices
        self.context = context
        self.completion = completion
        ends.reserveCapacity(stepCount)
        refuseBeforehand()
    }

    /// Refuses steps that the ledger is not to see, once.
    private func refuseBeforehand() {
        for index in requests.unnamed {
            refusals[index] = RPCError(
                InvalidField("step", "must be one of reserve, commit, release, refund, extend and charge"))
        }
        // The table of permissions lets Batch and Meter in with that of metering; a refund among their steps needs its own.
        guard !access.permissions.allows(.refund) else { return }
        for index in requests.all.indices where requests.all[index].kind == .refund {
            do throws(RPCError) {
                try access.require(.refund, calling: MeteringMethods.refund)
            } catch {
                refusals[index] = error
            }
        }
    }

    // MARK: - Under the book's lock

    var queue: (any CompletionQueue)? { context.loop }

    var hasGone: Bool { context.caller.hasGone }

    var stepCount: Int { requests.all.count }

    func command(at index: Int) -> Command? {
        if !refusals.isEmpty, refusals[index] != nil { return nil }
        do throws(InvalidField) {
            return try reader.command(requests.all[index], origin: access.origin, prices: prices)
        } catch {
            refusals[index] = RPCError(error)
            return nil
        }
    }

    func keep() {
        guard kept == nil, case .batch(let bytes) = source else { return }
        let copy = StepBytes(bytes)
        let count = stepCount
        requests = StepRequests()
        do throws(WireError) {
            _ = try requests.readBatch(copy.bytes, units: prices.units, keeping: count)
        } catch {
            preconditionFailure("what was read once can be read again")
        }
        kept = copy
    }

    func decided(at index: Int, _ outcome: borrowing Result<StepAnswer, Refusal>, replayed: Bool) {
        switch outcome {
        case .failure(let refusal): write(RPCError(refusal: refusal), at: index, to: &answers)
        case .success(let answer):
            let kind = requests.all[index].kind
            write(at: index, to: &answers) { result in
                result.write(nested: kind.tag) { $0.put(answer, replayed: replayed, to: kind) }
            }
        }
        ends.append(answers.count)
    }

    func passed(at index: Int) {
        guard let refusal = refusals[index] else { preconditionFailure("a step without a command is refused") }
        write(refusal, at: index, to: &answers)
        ends.append(answers.count)
    }

    /// Writes an answer, whose fields as a `StepResult` are `body`'s.
    private func write(at index: Int, to writer: inout WireWriter, _ body: (inout WireWriter) -> Void) {
        switch source {
        case .batch: writer.write(nested: 10, body)
        case .stream(_, let tags):
            writer.write(unlessZero: Int64(bitPattern: tags[index]), tag: 8)
            writer.write(nested: 18, body)
        }
    }

    private func write(_ error: RPCError, at index: Int, to writer: inout WireWriter) {
        write(at: index, to: &writer) { $0.put(error) }
    }

    // MARK: - On the loop

    func settled(_ steps: Range<Int>, _ error: EngineError?) {
        settledCount += steps.count
        if let error { failures.append((steps, error)) }
        guard settledCount == stepCount else { return }
        if failures.isEmpty { completion(answers, ends) } else { completeWithFailures() }
    }

    /// What was decided and could not be made durable never happened.
    private func completeWithFailures() {
        var all = WireWriter()
        var ends: [Int] = []
        for index in 0..<stepCount {
            // A step that was never asked for is refused for its fields all the same: those of its bytes that are only lent are
            // here, as what is not decided within their call is kept.
            if index >= self.ends.count { _ = command(at: index) }
            if let refusal = refusals[index] {
                write(refusal, at: index, to: &all)
            } else if let failure = failures.first(where: { $0.steps.contains(index) }) {
                write(RPCError(failure.error), at: index, to: &all)
            } else {
                answers.withUnsafeBytes { all.putRaw($0.part(index, of: self.ends)) }
            }
            ends.append(all.count)
        }
        completion(all, ends)
    }
}

extension UnsafeRawBufferPointer {
    /// One of several parts, each of which ends where `ends` says.
    func part(_ index: Int, of ends: [Int]) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[(index == 0 ? 0 : ends[index - 1])..<ends[index]])
    }
}

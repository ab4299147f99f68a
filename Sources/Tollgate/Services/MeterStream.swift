import Engine
import HTTP2
import Ledger
import Protobuf
import RPC
import TollgateSchema

/// One `Meter` stream: the steps that a turn of the loop reads go to the engine together, and their answers to the caller
/// when they are durable, all on the thread of the stream's loop.
///
/// So many steps at most are between their request being read and their answer being written, and nothing is read while
/// the caller does not read its answers.
final class MeterStream: DirectStreamHandler, @unchecked Sendable {
    // `Sendable` since everything mutable belongs to the loop's thread.

    private let stream: DirectStream
    private let handlers: MeteringHandlers
    private let access: TenantAccess
    /// The steps of one turn are taken after those of the turns before.
    private let order = StepOrder()
    /// The tenant's prices, and since which catalog: the stream may outlive it.
    private var prices: TenantPrices
    private var catalogs: UInt64
    /// Steps that are not answered, those that are read among them.
    private var underWay = 0
    /// Steps that this turn has read, and their tags.
    private var steps = ReadSteps()
    private var tags: [UInt64] = []
    /// How the requests ended; nil while more may come. The inner nil is for a caller that has sent all.
    private var ending: RPCError??

    init(_ stream: DirectStream, handlers: MeteringHandlers, access: TenantAccess) {
        self.stream = stream
        self.handlers = handlers
        self.access = access
        catalogs = handlers.catalogs.generation
        prices = handlers.catalogs.current.prices(for: access.tenant)
    }

    var wantsMore: Bool {
        underWay < Limits.maxMeterStepsUnderWay && ending == nil && stream.isWritable
            && stream.mayTake(having: underWay)
    }

    func received(_ request: UnsafeRawBufferPointer) {
        lookUpPrices()
        do throws(WireError) {
            var tag: UInt64 = 0
            var step: StepRequest?
            var reader = try WireReader(request)
            while let field = try reader.nextTag() {
                switch field {
                case 8: tag = try reader.uint64()
                case 18:
                    try reader.nested { (reader) throws(WireError) in
                        step = try handlers.readStep(&reader, units: prices.units, after: step)
                    }
                default: try reader.skip(field)
                }
            }
            handlers.add(step, access, prices, to: &steps)
            noteRead(tag, byteCount: request.count)
        } catch {
            // What was taken before is answered before the stream says so.
            requestsEnded(undecodable(MeterRequest.self, error))
        }
    }

    /// Another catalog holds from the next step on.
    private func lookUpPrices() {
        let generation = handlers.catalogs.generation
        guard generation != catalogs else { return }
        catalogs = generation
        prices = handlers.catalogs.current.prices(for: access.tenant)
    }

    private func noteRead(_ tag: UInt64, byteCount: Int) {
        underWay += 1
        stream.took(byteCount: byteCount)
        tags.append(tag)
        // Once everything that has arrived is read.
        if tags.count == 1 { stream.context.loop.execute { [self] in submitRead() } }
    }

    private func submitRead() {
        let (steps, tags) = (steps, tags)
        self.steps = ReadSteps()
        self.tags = []
        let places = steps.places
        // Nobody waits for what a caller that has gone had sent.
        guard stream.isOpen else { return gaveUp(tags.count) }
        handlers.engine.submit(
            steps.commands, tenant: access.tenant, queue: stream.context.loop, caller: stream.context.caller,
            order: order
        ) { [self] results in
            stream.onLoop { [self] in answer(places, tags, results) }
        }
    }

    private func gaveUp(_ count: Int) {
        underWay -= count
        stream.gave(count)
    }

    /// Writes a `MeterResponse` for each step.
    private func answer(_ places: [ReadSteps.Place], _ tags: [UInt64], _ results: [StepOutcome]) {
        places.forEachAnswer(results) { index, write in
            stream.send { response in
                response.write(unlessZero: Int64(bitPattern: tags[index]), tag: 8)
                response.write(nested: 18, write)
            }
        }
        gaveUp(places.count)
        goOn()
    }

    func requestsEnded(_ error: RPCError?) {
        if ending == nil { ending = .some(error) }
        goOn()
    }

    func becameWritable() { goOn() }

    private func goOn() {
        guard let ending else { return stream.requestMore() }
        if underWay == 0 { stream.finish(ending) }
    }
}

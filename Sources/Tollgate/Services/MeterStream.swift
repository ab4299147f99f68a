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
    /// The requests that this turn has brought, and where each ends.
    private var arrived = StepBytes()
    private var ends: [Int] = []
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
        underWay += 1
        stream.took(byteCount: request.count)
        arrived.append(request)
        ends.append(arrived.count)
        // Once everything that has arrived is there.
        if ends.count == 1 { stream.context.loop.execute { [self] in submitArrived() } }
    }

    /// Another catalog holds from the next step on.
    private func lookUpPrices() {
        let generation = handlers.catalogs.generation
        guard generation != catalogs else { return }
        catalogs = generation
        prices = handlers.catalogs.current.prices(for: access.tenant)
    }

    private func submitArrived() {
        let (bytes, ends) = (arrived, ends)
        arrived = StepBytes()
        self.ends = []
        // Nobody waits for what a caller that has gone had sent.
        guard stream.isOpen else { return gaveUp(ends.count) }
        lookUpPrices()
        var requests = StepRequests()
        var tags: [UInt64] = []
        tags.reserveCapacity(ends.count)
        do throws(WireError) {
            for index in ends.indices {
                tags.append(try requests.readMeterRequest(bytes.bytes.part(index, of: ends), units: prices.units))
            }
        } catch {
            // What was taken before is answered before the stream says so.
            ending = .some(undecodable(MeterRequest.self, error))
            gaveUp(ends.count - tags.count)
        }
        guard !tags.isEmpty else { return goOn() }
        let run = StepsRun(
            requests, from: .stream(bytes, tags: tags), access: access, prices: prices, context: stream.context
        ) { [self] answers, ends in answer(answers, ends) }
        handlers.engine.submit(run, tenant: access.tenant, order: order)
    }

    private func gaveUp(_ count: Int) {
        underWay -= count
        stream.gave(count)
    }

    /// Sends each of the `MeterResponse`s.
    private func answer(_ answers: borrowing WireWriter, _ ends: [Int]) {
        answers.withUnsafeBytes { bytes in
            for index in ends.indices { stream.send { $0.putRaw(bytes.part(index, of: ends)) } }
        }
        gaveUp(ends.count)
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

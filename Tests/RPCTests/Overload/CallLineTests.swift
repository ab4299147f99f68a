import HTTP2
import SeededRandom
import Testing

@testable import RPC

/// Whose turn it is: pure, so that a turn is any number that grows.
@Suite struct CallLineTests {
    private let maker: CallMaker
    private var limits = OverloadLimits()

    init() throws {
        maker = try CallMaker()
        limits.workPerTurn = 8
        limits.contendedWorkPerTurn = 4
        limits.shareWorkPerTurn = 3
        limits.workPerVisit = 2
        limits.leastWaitingWork = 10
        limits.waitNs = 0
    }

    /// Runs what may run, has the rest wait, and says how many ran.
    private func arrive(_ count: Int, _ share: CallShare, _ line: inout CallLine, turn: Int64) -> Int {
        (0..<count).count { _ in
            if line.mayRun(share, work: 1, nowNs: turn) { return true }
            line.add(WaitingCall(call: maker.make(share), work: 1, sinceNs: turn), of: share)
            return false
        }
    }

    private func serve(_ line: inout CallLine, turn: Int64) -> [CallShare] {
        var served: [CallShare] = []
        while let waiting = line.next(nowNs: turn) { served.append(waiting.call.share) }
        return served
    }

    @Test func aTenantAloneRunsATurnFullAndTheRestWaits() {
        var line = CallLine(limits)
        let one = CallShare()
        #expect(arrive(20, one, &line, turn: 1) == 8)
        #expect(line.waitingWork == 12)
        #expect(serve(&line, turn: 2).count == 8)
        #expect(serve(&line, turn: 3).count == 4)
        #expect(arrive(1, one, &line, turn: 4) == 1)
    }

    @Test func whoComesBesideAFloodRunsAtOnceAndInTurnWithIt() {
        var line = CallLine(limits)
        let (flood, modest) = (CallShare(), CallShare())
        _ = arrive(100, flood, &line, turn: 1)
        // In the next turn the flood waits behind itself.
        #expect(arrive(2, flood, &line, turn: 2) == 0)
        #expect(arrive(2, modest, &line, turn: 2) == 2)
        // Two that come when the turn is full wait for the next, and go before all but a visit of the flood.
        #expect(arrive(4, modest, &line, turn: 3) == 3)
        let served = serve(&line, turn: 3).map { $0 === flood }
        #expect(served == [true, true, false, true])
    }

    @Test func theMoreOneHasWaitingTheSoonerItIsRefusedAndOthersAreNot() {
        var line = CallLine(limits)
        let (flood, modest) = (CallShare(), CallShare())
        _ = arrive(1, modest, &line, turn: 1)
        _ = arrive(7, flood, &line, turn: 1)
        var taken = line.waitingWork
        while !line.isFull(for: flood, nowNs: 1) { taken += arrive(1, flood, &line, turn: 1) == 0 ? 1 : 0 }
        // Of ten places it has half, and the one that brought it there.
        #expect(taken == 6)
        #expect(!line.isFull(for: modest, nowNs: 1))
        while line.waitingWork < 9 { _ = arrive(1, modest, &line, turn: 1) }
        #expect(line.isFull(for: modest, nowNs: 1) && line.isFull(for: flood, nowNs: 1))
    }

    @Test func whoIsAloneHasAllPlaces() {
        var line = CallLine(limits)
        let (one, other) = (CallShare(), CallShare())
        _ = arrive(8, one, &line, turn: 1)
        while !line.isFull(for: one, nowNs: 1) { _ = arrive(1, one, &line, turn: 1) }
        #expect(line.waitingWork == limits.leastWaitingWork + 1)
        // Who has nothing waiting is let in all the same.
        #expect(!line.isFull(for: other, nowNs: 1))
    }

    @Test func theSlowerTheTurnsTheFewerMayWait() {
        var limits = limits
        limits.waitNs = 1_000_000
        var line = CallLine(limits)
        let one = CallShare()
        _ = arrive(10_000, one, &line, turn: 0)
        let before = line.capacityWork
        // Each turn of eight takes 8 ms: a millisecond a call.
        for turn in 1...200 { _ = serve(&line, turn: Int64(turn) * 8_000_000) }
        #expect(line.nsPerWork > 900_000 && line.capacityWork < before)
        #expect(line.capacityWork == limits.leastWaitingWork)
    }

    @Test func everyCallIsRunOnceInItsTenantsOrderAndNoTurnIsLong() {
        let seed = freshSeed()
        var random = SeededRandom(seed: seed)
        var line = CallLine(limits)
        let shares = (0..<5).map { _ in CallShare() }
        var expected = [[ObjectIdentifier]](repeating: [], count: shares.count)
        var found = expected
        for turn in 1...2_000 {
            for _ in 0..<Int.random(in: 0...8, using: &random) where turn < 1_000 {
                let index = Int.random(in: 0..<shares.count, using: &random) * Int.random(in: 0...1, using: &random)
                let call = maker.make(shares[index])
                if line.mayRun(shares[index], work: 1, nowNs: Int64(turn)) { continue }
                expected[index].append(ObjectIdentifier(call))
                line.add(WaitingCall(call: call, work: 1, sinceNs: Int64(turn)), of: shares[index])
            }
            var count = 0
            while let waiting = line.next(nowNs: Int64(turn)) {
                count += 1
                let index = shares.firstIndex { $0 === waiting.call.share }!
                found[index].append(ObjectIdentifier(waiting.call))
            }
            #expect(count <= limits.workPerTurn, "seed \(seed)")
        }
        #expect(line.waitingWork == 0 && found == expected, "seed \(seed)")
        #expect(shares.allSatisfy { $0.isIdle })
    }

    @Test func sharesThatNobodyUsesAreForgotten() {
        var table = ShareTable()
        let kept = table.share(named: "kept")
        let busy = table.share(named: "busy")
        busy.underWay = 1
        for number in 0..<10_000 { _ = table.share(named: "tenant \(number)") }
        #expect(table.count <= 2 * OverloadLimits.keptShares)
        #expect(table.share(named: "kept") === kept && table.share(named: "busy") === busy)
    }
}

/// Makes calls that stand in a line and do nothing.
private final class CallMaker {
    private final class Nobody: ServerExchange {
        let peer = ""
        let isWritable = true
        func send(_ message: [UInt8], initialMetadata: Metadata) {}
        func send(_ message: UnsafeRawBufferPointer, initialMetadata: Metadata) {}
        func giveRequests() {}
        func endRequests(_ error: RPCError) {}
        func finish(_ end: CallEnd) {}
        func finish(message: UnsafeRawBufferPointer) {}
        func keep(message: UnsafeRawBufferPointer) {}
        func finishKept() {}
        func takeKept() -> [UInt8] { [] }
        func took(_ byteCount: Int, idle: Bool) {}
    }

    private let home: ServerLoop
    private let head: RequestHead
    /// As many are told apart by where they are, all are kept.
    private var calls: [ServerCall] = []

    init() throws {
        let registry = ServiceRegistry()
        EchoService().register(in: registry)
        let core = ServerCore(
            configuration: RPCServerConfiguration(), methods: MethodTable(registry.methods), interceptors: [],
            health: HealthStatus())
        home = ServerLoop(core: core, loop: try EventLoop(name: "none"))
        head = RequestHead(headers: HTTP2Headers(), method: registry.methods[0], timeoutNs: nil)
    }

    func make(_ share: CallShare) -> ServerCall {
        let call = ServerCall(home: home, head: head, exchange: Nobody())
        call.share = share
        calls.append(call)
        return call
    }
}

import HTTP2
import Locks
import Protobuf
import Testing

@testable import RPC

/// A server that has more to do than it can: who gets in, who waits, who is refused and what they are told.
@Suite(.timeLimit(.minutes(1))) struct OverloadTests {
    private func open(_ server: any TestServer, _ tenant: String, _ text: String) async -> any TestCall {
        let call = await server.open(EchoService.direct, metadata: ["x-tenant": .text(tenant)], timeoutNs: nil)
        call.send(.with { $0.text = text })
        call.end()
        return call
    }

    private func open(_ server: any TestServer, _ count: Int, _ tenant: String, _ text: String) async -> [any TestCall]
    {
        var calls: [any TestCall] = []
        for _ in 0..<count { calls.append(await open(server, tenant, text)) }
        return calls
    }

    private func delay(_ answer: Answer) throws -> Duration {
        let info = answer.details.lazy.compactMap { try? $0.unpack(RetryInfo.self) }.first
        return try #require(info?.retryDelay?.duration)
    }

    /// Handlers that never answer stand for a journal that stands still.
    @Test(arguments: TransportKind.allCases)
    func aFloodIsRefusedAndTheModestTenantGetsIn(transport: TransportKind) async throws {
        let bound = 40
        try await withServer(
            transport, interceptors: [ByTenant()], configure: { $0.maxConcurrentCalls = bound }
        ) { server in
            let flood = await open(server, 100, "flood", "wait")
            // As much as it leaves free, and the one that brought it there.
            try await eventually { server.echo.seen.waiting == bound / 2 + 1 }
            let modest = await open(server, 5, "modest", "wait")
            try await eventually { server.echo.seen.waiting == bound / 2 + 6 }
            for call in await open(server, 3, "flood", "hello") {
                let answer = await call.answer()
                #expect(answer.code == .unavailable)
                #expect((.milliseconds(100)...(.milliseconds(300))).contains(try delay(answer)))
            }
            for call in await open(server, 3, "other", "hello") { #expect(await call.answer().code == .ok) }
            for call in flood.prefix(bound / 2 + 1) + modest { call.cancel() }
            for call in flood.dropFirst(bound / 2 + 1) { #expect(await call.answer().code == .unavailable) }
            // Who is done makes room.
            try await eventually { server.echo.seen.cancelled == bound / 2 + 6 }
            #expect(await open(server, "flood", "hello").answer().code == .ok)
        }
    }

    @Test func aFloodWaitsBehindItself() async throws {
        let log = ByTenant()
        var configuration = RPCServerConfiguration()
        configuration.overload.workPerTurn = 8
        configuration.overload.contendedWorkPerTurn = 4
        configuration.overload.workPerVisit = 2
        configuration.overload.waitNs = 3_600_000_000_000
        let server = try InProcessServer(configuration, [log])
        var calls: [any TestCall] = []
        try await server.whileHeld {
            calls = await open(server, 200, "flood", "hello")
            calls.append(await open(server, "modest", "hello"))
        }
        for call in calls { #expect(await call.answer().code == .ok) }
        // All arrived in one turn, the modest one's last: a turn's worth of the flood ran before, and one visit.
        #expect(log.ended.firstIndex(of: "modest") == 10)
        #expect(log.ended.count == 201)
        await server.stop()
        print(
            "covered: overload: 200 calls of a flood and 1 of another tenant in one turn: the other was the 11th answered"
        )
    }

    @Test func whoHasWaitedTooLongIsRefusedInItsTurn() async throws {
        var configuration = RPCServerConfiguration()
        configuration.overload.workPerTurn = 1
        configuration.overload.waitNs = 0
        configuration.overload.leastWaitingWork = 100
        let server = try InProcessServer(configuration, [])
        var calls: [any TestCall] = []
        try await server.whileHeld { calls = await open(server, 20, "any", "hello") }
        var codes: [RPCStatusCode?] = []
        for call in calls {
            let answer = await call.answer()
            codes.append(answer.code)
            if answer.code == .unavailable { _ = try delay(answer) }
        }
        #expect(codes == [.ok] + Array(repeating: .unavailable, count: 19))
        #expect(server.echo.seen.started == 1)
        await server.stop()
    }

    @Test func whoseDeadlinePassesOrWhoCancelsWhileItWaitsIsNeverRun() async throws {
        var configuration = RPCServerConfiguration()
        // Nobody's turn ever comes.
        configuration.overload.workPerTurn = 0
        configuration.overload.contendedWorkPerTurn = 0
        let server = try InProcessServer(configuration, [])
        let call = await server.open(EchoService.direct, metadata: [:], timeoutNs: 20_000_000)
        call.send(.with { $0.text = "hello" })
        call.end()
        #expect(await call.answer().code == .deadlineExceeded)
        let other = await open(server, "any", "hello")
        other.cancel()
        #expect(await other.answer().code == nil)
        #expect(server.echo.seen.started == 0)
        await server.stop()
    }

    @Test func whatWaitedInTheSocketCountsForDeadlineAndWait() async throws {
        let server = try InProcessServer(RPCServerConfiguration(), [])
        let second: Int64 = 1_000_000_000
        // The deadline is 60 s after the call surely arrived, which was 61 s ago; or there is none, and it is late all the same.
        for (timeoutNs, waitedNs, code) in [
            (60 * second, 61 * second, RPCStatusCode.deadlineExceeded), (nil, second, .unavailable),
            (60 * second, 50_000_000, .ok),
        ] as [(Int64?, Int64, RPCStatusCode)] {
            let call = server.open(EchoService.direct, timeoutNs: timeoutNs, waitedNs: waitedNs)
            call.send(.with { $0.text = "hello" })
            call.end()
            #expect(await call.answer().code == code)
        }
        #expect(server.echo.seen.started == 1)
        await server.stop()
    }

    @Test func healthIsToldHoweverMuchThereIsToDo() async throws {
        var configuration = RPCServerConfiguration()
        configuration.maxConcurrentCalls = 1
        let server = try await SocketServer(configuration)
        let held = await open(server, "any", "wait")
        try await eventually { server.echo.seen.waiting == 1 }
        #expect(await open(server, "any", "hello").answer().code == .unavailable)
        let check = await server.open([(":path", "/grpc.health.v1.Health/Check")])
        check.send(framed: MessageFraming.frame([]))
        check.end()
        var code: RPCStatusCode?
        for await event in check.events { if case .end(let found, _, _, _) = event { code = found } }
        #expect(code == .ok)
        held.cancel()
        await server.stop()
    }

    /// Who does not wait before it tries again is told to keep its calls to itself, and is not cut off for what it sent before
    /// it heard of that.
    @Test func manyRefusalsLowerTheBoundOfStreamsUntilItIsCalm() async throws {
        var configuration = RPCServerConfiguration()
        configuration.maxConcurrentCalls = 100
        configuration.overload.refusalPercent = 0
        configuration.overload.windowNs = 10_000_000
        configuration.overload.leastStreams = 4
        // On a slow machine the loop may never pause; here that is to mean nothing.
        configuration.overload.enoughPercent = 1_000_000
        let server = try await SocketServer(configuration, [ByTenant()])
        let held = await open(server, 51, "any", "wait")
        try await eventually { server.echo.seen.waiting == 51 }
        let metrics = server.server.http2Metrics
        var refused = 0
        while metrics.count(of: .streamLimits) == 0 {
            for call in await open(server, 50, "any", "hello") {
                let answer = await call.answer()
                #expect(answer.code == .unavailable || answer.code == nil)
                refused += 1
            }
        }
        for call in held { call.cancel() }
        // It comes back: many at once are answered.
        var most = 0
        while most < 50 {
            var answered = 0
            for call in await open(server, 50, "any", "hello") where await call.answer().code == .ok { answered += 1 }
            most = max(most, answered)
            try await Task.sleep(for: .milliseconds(5))
        }
        #expect(metrics.count(of: .goawayFlood) == 0)
        await server.stop()
        print("covered: overload: \(refused) refusals, \(metrics.count(of: .streamLimits)) bounds of streams told")
    }

    /// Streams are held back, never refused, and what is held back in one turn is read in the next, whoever else sends.
    @Test func streamsOfSeveralTenantsTakeTurnsAndAllGetThrough() async throws {
        var configuration = RPCServerConfiguration()
        configuration.overload.streamedWorkPerTurn = 2
        configuration.overload.streamedStepsOfEach = 0
        configuration.overload.streamedSteps = 1
        let server = try await SocketServer(configuration, [ByTenant()])
        var streams: [SocketCall] = []
        for number in 0..<4 {
            streams.append(
                await server.open([(":path", EchoService.follow.path), ("x-tenant", "tenant \(number % 2)")]))
        }
        let texts = (0..<200).map { "message \($0)" }
        for text in texts { for stream in streams { stream.send(.with { $0.text = text }) } }
        for stream in streams { stream.end() }
        for stream in streams {
            let answer = await stream.answer()
            #expect(answer.code == .ok && answer.messages.map(\.text) == texts)
        }
        await server.stop()
    }

    /// What is refused without being begun has the same status, details and gRPC's own hint when to come back.
    @Test func whoIsRefusedBeforeItsCallIsBegunIsToldTheSame() async throws {
        var configuration = RPCServerConfiguration()
        configuration.maxConcurrentCalls = 2
        let server = try await SocketServer(configuration, [ByTenant()])
        _ = await open(server, "any", "hello").answer()
        let held = await open(server, 2, "any", "wait")
        try await eventually { server.echo.seen.waiting == 2 }
        let started = server.echo.seen.started
        let call = await open(server, "any", "hello") as! SocketCall
        let answer = await call.answer()
        #expect(answer.code == .unavailable)
        let ms = try delay(answer).components.attoseconds / 1_000_000_000_000_000
        #expect(call.raw.headers.contains { $0.name == "grpc-retry-pushback-ms" && $0.value == "\(ms)" })
        #expect(server.echo.seen.started == started)
        for call in held { call.cancel() }
        await server.stop()
    }
}

/// Shares the server by the header `x-tenant`, and notes whose calls ended well, in their order.
final class ByTenant: ServerInterceptor {
    private final class Tenant: Sendable {
        let name: String
        init(_ name: String) { self.name = name }
    }

    private let log = Protected<[String]>([])

    var ended: [String] { log.withLock { $0 } }
    var admissionEpoch: UInt64? { 1 }

    func admit(_ context: ServerContext) throws(RPCError) {
        let name = context.metadata("x-tenant") ?? ""
        context.setPrincipal(Tenant(name))
        context.setShare(named: name)
    }

    func finished(_ context: ServerContext, code: RPCStatusCode, durationNs: Int64) {
        guard code == .ok, let tenant = context.principal(as: Tenant.self) else { return }
        log.withLock { $0.append(tenant.name) }
    }
}

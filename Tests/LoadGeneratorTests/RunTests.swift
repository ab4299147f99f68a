import Locks
import Testing

@testable import LoadGenerator

/// Whole runs against a server of this process.
@Suite struct RunTests {
    @Test("every work is done without an error, and leaves no hold behind", arguments: LoadPlan.Work.allCases)
    func works(work: LoadPlan.Work) throws {
        let server = try ScriptedServer()
        defer { server.stop() }
        let plan = shortPlan(work, port: server.port)
        let report = try plan.run()
        #expect(report.errors == 0 && report.firstError == nil, "\(report.firstError ?? "")")
        #expect(report.steps == report.calls * plan.stepsPerCall)
        #expect(report.latencies.count == UInt64(report.calls))
        #expect(report.measuredNs >= plan.measureNs && report.cpuNs > 0)
        server.counts.withLock { counts in
            #expect(counts.calls > 0 && counts.open.isEmpty)
            #expect(counts.authorizations == ["Bearer tg_test"])
        }
    }

    @Test("tenants take turns")
    func tenants() throws {
        let server = try ScriptedServer()
        defer { server.stop() }
        _ = try shortPlan(.balance, port: server.port, tenants: 3).run()
        let counts = server.counts.withLock { $0.tenants }
        #expect(Set(counts.keys) == ["bench-000000", "bench-000001", "bench-000002"])
        #expect((counts.values.max() ?? 0) - (counts.values.min() ?? 0) <= 1)
    }

    @Test("each Meter stream has its tenant, in turn")
    func meterTenants() throws {
        let server = try ScriptedServer()
        defer { server.stop() }
        _ = try shortPlan(.meter, port: server.port, connections: 3, tenants: 2).run()
        #expect(server.counts.withLock { $0.tenants } == ["bench-000000": 2, "bench-000001": 1])
    }

    @Test("whatever a server does wrong is an error", arguments: Misbehaviour.allCases.filter { $0 != .nothing })
    func misbehaviour(misbehaviour: Misbehaviour) throws {
        let server = try ScriptedServer(misbehaviour)
        defer { server.stop() }
        let report = try shortPlan(.steps, port: server.port).run()
        #expect(report.errors > 0 && report.measuredNs >= 0 && report.cpuNs >= 0)
        let expected: [Misbehaviour: String] = [
            .refuses: "grpc-status 9", .unavailable: "the HTTP status is not 200", .wrongAmount: "expected",
            .replays: "replayed", .truncates: "without a whole message", .emptyAnswer: "without a whole message",
            .resets: "INTERNAL_ERROR", .disconnects: "onnection",
            .drains: "takes no more calls on this connection", .overloads: "grpc-status 14", .givesUp: "grpc-status 4",
        ]
        let text = try #require(report.firstError)
        #expect(text.contains(expected[misbehaviour] ?? "?"), "\(text)")
    }

    @Test(
        "and so it is on a Meter stream",
        arguments: [Misbehaviour.refuses, .wrongAmount, .replays, .resets, .disconnects])
    func meterMisbehaviour(misbehaviour: Misbehaviour) throws {
        let server = try ScriptedServer(misbehaviour)
        defer { server.stop() }
        let report = try shortPlan(.meter, port: server.port).run()
        #expect(report.errors > 0 && report.firstError != nil)
    }

    @Test("and so it is for what a Batch and GetBalance answer", arguments: [LoadPlan.Work.batch, .balance])
    func wrongAmounts(work: LoadPlan.Work) throws {
        let server = try ScriptedServer(.wrongAmount)
        defer { server.stop() }
        #expect(try shortPlan(work, port: server.port).run().errors > 0)
    }

    @Test("an error in the midst is counted, and the lanes go on")
    func oneError() throws {
        let server = try ScriptedServer(.refuses, afterCalls: 20)
        defer { server.stop() }
        let report = try shortPlan(.balance, port: server.port, measureNs: 500_000_000).run()
        #expect(report.calls == 20)
        // More than there are lanes.
        #expect(report.errors > 8)
    }

    @Test("a paced run begins no more than its pace")
    func pace() throws {
        let server = try ScriptedServer()
        defer { server.stop() }
        var plan = shortPlan(.balance, port: server.port)
        plan.stepsPerSecond = 200
        let report = try plan.run()
        #expect(report.errors == 0)
        // 50 ms at 200 a second are 10; how late the machine ends the time adds what it adds.
        let most = Int(Double(report.measuredNs) / 1e9 * 200) + 1
        #expect(report.calls <= most, "\(report.calls) of \(most)")
    }

    @Test(
        "what an overloaded server refuses, or gives up, is counted and no error",
        arguments: [Misbehaviour.overloads, .givesUp])
    func overload(misbehaviour: Misbehaviour) throws {
        let server = try ScriptedServer(misbehaviour, afterCalls: 3)
        defer { server.stop() }
        var plan = shortPlan(.steps, port: server.port)
        plan.deadlineNs = 10_000_000_000
        let report = try plan.run()
        #expect(report.errors == 0 && report.firstError == nil)
        #expect(report.calls <= 3 && report.unsent == 0)
        #expect(misbehaviour == .overloads ? report.refused > 0 : report.late > 0)
        #expect(misbehaviour == .overloads ? report.late == 0 : report.refused == 0)
    }

    @Test("a modest tenant goes beside the others, and is told apart", arguments: [false, true])
    func modest(hasConnection: Bool) throws {
        let server = try ScriptedServer()
        defer { server.stop() }
        var plan = shortPlan(.steps, port: server.port, tenants: 1, measureNs: 300_000_000)
        plan.modestPerSecond = 500
        plan.modestHasConnection = hasConnection
        let report = try plan.run()
        let modest = try #require(report.modest)
        #expect(report.errors == 0 && modest.calls > 0 && modest.refused == 0)
        #expect(report.calls > 0 && modest.latencies.count == UInt64(modest.calls))
        let tenants = server.counts.withLock { $0.tenants }
        #expect(Set(tenants.keys) == ["bench-000000", "bench-000001"])
        #expect((tenants["bench-000001"] ?? 0) >= modest.calls)
        #expect(server.counts.withLock { $0.open.isEmpty })
    }

    @Test("what cannot be carried out says why")
    func failures() throws {
        let server = try ScriptedServer()
        let port = server.port
        server.stop()
        guard case .unreachable(let address, _) = failure(of: shortPlan(.steps, port: port)) else {
            Issue.record("a port where nobody listens was reached")
            return
        }
        #expect(address == "127.0.0.1:\(port)")
        var plan = shortPlan(.batch, port: port, connections: 64, inFlight: 64)
        plan.batchSize = 1_000
        #expect(failure(of: plan) == .tooMuchInFlight(steps: 4_096_000, allowed: Limits.stepsInFlightMax))
    }

    @Test("the disk is measured in a file that is gone afterwards")
    func sync() throws {
        let report = try SyncProbe.run(directory: "/tmp", byteCount: 4_096, seconds: 1)
        #expect(report.latencies.count > 0 && report.measuredNs >= 1_000_000_000)
        #expect(throws: SyncProbe.Failure(call: "open", errno: 2)) {
            try SyncProbe.run(directory: "/tmp/there/is/no/such", byteCount: 4_096, seconds: 1)
        }
    }
}

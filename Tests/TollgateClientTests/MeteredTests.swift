import Protobuf
import RPC
import Synchronization
import Testing

@testable import TollgateClient

@Suite(.timeLimit(.minutes(1))) struct MeteredTests {
    private struct BodyError: Error, Equatable {}

    @Test func whatTheBodyReportsIsCommitted() async throws {
        let channel = FakeChannel { call, _ throws(RPCError) in meteringAnswer(call) }
        let tollgate = Tollgate(channel: channel)
        let result = try await tollgate.metered(feature: "chat", quantities: ["in": 10, "out": 100], actor: "ann") {
            use in
            use.report(["in": 9])
            use.report("out", 20)
            use.report("out", 11)
            return use.reservation.reservationID
        }
        #expect(channel.made.map(\.method.name) == ["Reserve", "Commit"])
        let (held, charged) = (
            channel.made[0].request(ReserveRequest.self), channel.made[1].request(CommitRequest.self)
        )
        #expect(held.feature == "chat" && held.quantities == ["in": 10, "out": 100] && held.actor == "ann")
        #expect(charged.reservationID == held.reservationID && result == held.reservationID)
        #expect(charged.quantities == ["in": 9, "out": 31] && !charged.partial)
    }

    @Test func aBodyThatThrowsReleasesTheHold() async throws {
        let channel = FakeChannel { call, _ throws(RPCError) in meteringAnswer(call) }
        let tollgate = Tollgate(channel: channel)
        await #expect(throws: BodyError()) {
            try await tollgate.metered(feature: "chat", quantities: ["out": 100]) { use in
                use.report("out", 50)
                throw BodyError()
            }
        }
        #expect(channel.made.map(\.method.name) == ["Reserve", "Release"])
        let held = channel.made[0].request(ReserveRequest.self)
        #expect(channel.made[1].request(ReleaseRequest.self).reservationID == held.reservationID)
    }

    @Test func theBodysErrorCountsMoreThanThatOfTheRelease() async throws {
        let channel = FakeChannel { call, number throws(RPCError) in
            if number > 0 { throw RPCError(code: .failedPrecondition, message: "closed") }
            return meteringAnswer(call)
        }
        let tollgate = Tollgate(channel: channel)
        await #expect(throws: BodyError()) {
            try await tollgate.metered(feature: "chat", quantities: ["out": 100]) { _ in throw BodyError() }
        }
    }

    @Test func withoutCreditsTheBodyDoesNotRun() async throws {
        let channel = FakeChannel { _, _ throws(RPCError) in
            throw RPCError(code: .resourceExhausted, message: "no credits")
        }
        let tollgate = Tollgate(channel: channel)
        let ran = Atomic<Bool>(false)
        await #expect {
            try await tollgate.metered(feature: "chat", quantities: ["out": 100]) { _ in
                ran.store(true, ordering: .relaxed)
            }
        } throws: {
            ($0 as? RPCError)?.code == .resourceExhausted
        }
        let didRun = ran.load(ordering: .relaxed)
        #expect(!didRun)
    }

    @Test func aBodyWithoutAReportIsChargedNothing() async throws {
        let channel = FakeChannel { call, _ throws(RPCError) in meteringAnswer(call) }
        try await Tollgate(channel: channel).metered(feature: "chat", quantities: ["out": 100]) { _ in }
        #expect(channel.made.map(\.method.name) == ["Reserve", "Release"])
    }

    @Test func aReportOfNothingIsCommitted() async throws {
        let channel = FakeChannel { call, _ throws(RPCError) in meteringAnswer(call) }
        try await Tollgate(channel: channel).metered(feature: "chat", quantities: ["out": 100]) { $0.report("out", 0) }
        #expect(channel.made.map(\.method.name) == ["Reserve", "Commit"])
    }

    @Test(arguments: [true, false])
    func aCancelledTaskStillSettles(bodyThrows: Bool) async throws {
        // The reservation is made before the cancellation; what settles it must not see that.
        let channel = FakeChannel { call, number throws(RPCError) in
            if number > 0, Task.isCancelled { throw RPCError(code: .cancelled, message: "cancelled") }
            return meteringAnswer(call)
        }
        let tollgate = Tollgate(channel: channel)
        let task = Task {
            try await tollgate.metered(feature: "chat", quantities: ["out": 100]) { use in
                while !Task.isCancelled { await Task.yield() }
                use.report("out", 5)
                if bodyThrows { throw CancellationError() }
            }
        }
        while channel.made.isEmpty { await Task.yield() }
        task.cancel()
        if bodyThrows {
            await #expect(throws: CancellationError.self) { try await task.value }
        } else {
            try await task.value
        }
        #expect(channel.made.map(\.method.name) == ["Reserve", bodyThrows ? "Release" : "Commit"])
    }

    @Test func aFailedCommitReachesTheCaller() async throws {
        let channel = FakeChannel { call, number throws(RPCError) in
            if number > 0 { throw RPCError(code: .resourceExhausted, message: "more than there is") }
            return meteringAnswer(call)
        }
        await #expect {
            try await Tollgate(channel: channel).metered(feature: "chat", quantities: ["out": 1]) {
                $0.report("out", 9)
            }
        } throws: {
            ($0 as? RPCError)?.code == .resourceExhausted
        }
    }

    @Test func aReportThatOverflowsStaysAtTheLargestNumber() {
        var reported = Use.Reported()
        reported.add(["out": .max])
        reported.add(["out": 1])
        #expect(reported.quantities == ["out": .max])
    }
}

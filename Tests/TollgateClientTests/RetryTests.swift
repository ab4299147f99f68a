import Protobuf
import RPC
import Testing

@testable import TollgateClient

@Suite(.timeLimit(.minutes(1))) struct RetryTests {
    @Test func aStepIsSentAgainUnderTheSameIDAfterUnavailable() async throws {
        let channel = FakeChannel { call, number throws(RPCError) in
            if number < 3 { throw .unavailable() }
            return meteringAnswer(call)
        }
        let tollgate = Tollgate(channel: channel, retries: .quick)
        let answer = try await tollgate.reserve(feature: "chat", quantities: ["tokens": 5])
        let requests = channel.made.map { $0.request(ReserveRequest.self) }
        #expect(requests.count == 4)
        #expect(Set(requests.map(\.reservationID)) == [answer.reservation?.reservationID])
        #expect(requests.allSatisfy { $0 == requests[0] }, "the contents are the same too")
    }

    @Test func everyStepCarriesAnIDThatItsRetryKeeps() async throws {
        let channel = FakeChannel { call, number throws(RPCError) in
            if number.isMultiple(of: 2) { throw .unavailable() }
            return meteringAnswer(call)
        }
        let tollgate = Tollgate(channel: channel, retries: .quick)
        try await tollgate.commit("r", quantities: ["tokens": 1], partial: true)
        try await tollgate.commit("r", amountMicros: 1)
        try await tollgate.commit(CommitRequest())
        try await tollgate.refund("r")
        try await tollgate.extend("r", ttl: .seconds(1))
        try await tollgate.charge(feature: "image", quantities: ["images": 1])
        try await tollgate.charge(amountMicros: 1)
        try await tollgate.charge(ChargeRequest())
        try await tollgate.grant(tenant: "acme", kind: .purchased, amountMicros: 1)
        var ids: Set<String> = []
        for pair in 0..<9 {
            let (first, second) = (channel.made[2 * pair], channel.made[2 * pair + 1])
            #expect(first.request == second.request, "\(first.method.name)")
            let id =
                switch first.method.name {
                case "Commit": first.request(CommitRequest.self).commitID
                case "Refund": first.request(RefundRequest.self).refundID
                case "Extend": first.request(ExtendRequest.self).extendID
                case "Charge": first.request(ChargeRequest.self).reservationID
                default: first.request(GrantCreditsRequest.self).grantID
                }
            #expect(id.count == 36 && ids.insert(id).inserted, "\(first.method.name)")
        }
    }

    @Test(arguments: RPCStatusCode.allCases.filter { $0 != .ok && $0 != .unavailable })
    func anAnswerIsNotAskedForAgain(code: RPCStatusCode) async throws {
        let channel = FakeChannel { _, _ throws(RPCError) in throw RPCError(code: code, message: "no") }
        let tollgate = Tollgate(channel: channel, retries: .quick)
        await #expect { try await tollgate.release("r") } throws: { ($0 as? RPCError)?.code == code }
        #expect(channel.made.count == 1)
    }

    @Test func theNumberOfAttemptsIsBounded() async throws {
        let channel = FakeChannel { _, _ throws(RPCError) in throw .unavailable() }
        let tollgate = Tollgate(channel: channel, retries: .quick)
        await #expect(throws: RPCError.self) { try await tollgate.release("r") }
        #expect(channel.made.count == 5)
        let once = Tollgate(channel: channel, retries: .none)
        await #expect(throws: RPCError.self) { try await once.release("r") }
        #expect(channel.made.count == 6)
    }

    @Test func attemptsShareOneDeadline() async throws {
        let channel = FakeChannel { _, _ throws(RPCError) in throw .unavailable() }
        let tollgate = Tollgate(channel: channel, timeout: .seconds(30), retries: .quick)
        await #expect(throws: RPCError.self) { try await tollgate.release("r") }
        let timeouts = channel.made.compactMap(\.options.timeout)
        #expect(timeouts.count == 5 && timeouts[0] == .seconds(30))
        #expect(zip(timeouts, timeouts.dropFirst()).allSatisfy { $0 > $1 })
    }

    @Test func cancellingEndsTheWaitBetweenAttempts() async throws {
        let channel = FakeChannel { _, _ throws(RPCError) in throw .unavailable(retryAfter: .seconds(3_000)) }
        let tollgate = Tollgate(channel: channel, timeout: .seconds(100_000))
        let task = Task { try await tollgate.release("r") }
        while channel.made.isEmpty { await Task.yield() }
        task.cancel()
        await #expect { try await task.value } throws: { ($0 as? RPCError)?.code == .cancelled }
    }

    @Test func waitsGrowStayWithinBoundsAndHonourTheServer() {
        var random = SystemRandomNumberGenerator()
        var sequence = RetrySequence(
            RetryPolicy(maxAttempts: 100, initialBackoff: .milliseconds(100), maxBackoff: .seconds(1)))
        var expected = 0.1
        for _ in 0..<20 {
            let wait = sequence.wait(after: .unavailable(), remaining: nil, using: &random)! / .seconds(1)
            #expect(wait > expected * 0.799 && wait < expected * 1.201)
            expected = min(1, expected * 2)
        }
        let asked = sequence.wait(after: .unavailable(retryAfter: .seconds(7)), remaining: nil, using: &random)
        #expect(asked == .seconds(7))
    }

    @Test func aWaitBeyondTheDeadlineIsNotBegun() {
        var random = SystemRandomNumberGenerator()
        var sequence = RetrySequence(RetryPolicy())
        let error = RPCError.unavailable(retryAfter: .seconds(5))
        #expect(sequence.wait(after: error, remaining: .seconds(6), using: &random) == .seconds(5))
        #expect(sequence.wait(after: error, remaining: .seconds(5), using: &random) == nil)
    }
}

import Ledger
import Locks
import Protobuf
import RPC
import Storage
import Testing
import TollgateSchema

@testable import Tollgate

/// What a caller is told it can rely on: nothing is told before it is on the disk.
@Suite(.timeLimit(.minutes(1))) struct DurableAnswerTests {
    /// Whether a call was answered, and with what.
    private final class Answer: Sendable {
        private let state = Protected<RPCStatusCode?>(nil)
        var code: RPCStatusCode? { state.withLock { $0 } }
        func set(_ code: RPCStatusCode) { state.withLock { $0 = code } }
    }

    private static func reserve(_ number: Int, micros: Int64) -> ReserveRequest {
        var request = ReserveRequest()
        request.reservationID = "01900000-0000-7000-8000-00000000000\(number)"
        request.amountMicros = micros
        return request
    }

    private static func batch() -> BatchRequest {
        var batch = BatchRequest()
        for number in [3, 4] {
            var step = Step()
            step.kind = .reserve(reserve(number, micros: 10))
            batch.steps.append(step)
        }
        return batch
    }

    /// A step that is done, one that is refused, and some in one call.
    private static let calls: [(expected: RPCStatusCode, make: @Sendable (MeteringClient) async throws -> Void)] = [
        (.ok, { _ = try await $0.reserve(reserve(1, micros: 40)) }),
        (.resourceExhausted, { _ = try await $0.reserve(reserve(2, micros: 1_000)) }),
        (.ok, { _ = try await $0.batch(batch()) }),
    ]

    @Test func noStepIsAnsweredBeforeTheDiskHasIt() async throws {
        try await ServerPlace.withHeldJournal { channel, journal in
            for call in Self.calls {
                let answer = Answer()
                journal.hold()
                async let ended: Void = {
                    do {
                        try await call.make(MeteringClient(channel))
                        answer.set(.ok)
                    } catch {
                        answer.set((error as? RPCError)?.code ?? .unknown)
                    }
                }()
                while !journal.isAsked { try await Task.sleep(for: .milliseconds(1)) }
                // Over the same connection: what the loop sent before them comes before them.
                for _ in 0..<5 { _ = try await HealthClient(channel).check(HealthCheckRequest()) }
                #expect(answer.code == nil, "told before the disk has it")
                journal.letGo()
                await ended
                #expect(answer.code == call.expected)
            }
        }
    }
}

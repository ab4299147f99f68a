import Ledger
import LoadGenerator
import Locks
import RPC
import Testing

@testable import TollgateCommand

/// A replay meters every row once, whatever the answers are.
@Suite struct ReplayTests {
    /// A server made of one closure, which answers each step on another task.
    final class FakeCaller: ReplayCaller {
        struct Seen: Sendable {
            var calls: [(step: ReplayStep, id: StepID)] = []
            var inFlight = 0
            var mostInFlight = 0
        }

        let seen = Protected(Seen())
        /// Given the step and how often it was sent before.
        let answer: @Sendable (ReplayStep, TraceRow, Int) -> Result<ReplayAnswer, RPCError>?

        init(_ answer: @escaping @Sendable (ReplayStep, TraceRow, Int) -> Result<ReplayAnswer, RPCError>?) {
            self.answer = answer
        }

        func start(
            _ step: ReplayStep, id: StepID, row: TraceRow,
            completion: @escaping @Sendable (Result<ReplayAnswer, RPCError>) -> Void
        ) {
            let before = seen.withLock { seen in
                let before = seen.calls.filter { $0.step == step && $0.id == id }.count
                seen.calls.append((step, id))
                seen.inFlight += 1
                seen.mostInFlight = max(seen.mostInFlight, seen.inFlight)
                return before
            }
            Task {
                await Task.yield()
                seen.withLock { $0.inFlight -= 1 }
                if let result = answer(step, row, before) { completion(result) }
            }
        }
    }

    static func plan(rows count: Int, concurrency: Int, pace: Double? = nil) -> ReplayPlan {
        let rows = (0..<count).map {
            TraceRow(timeMicroseconds: 1_000_000 + Int64($0) * 1_000, contextTokens: Int64($0), generatedTokens: 7)
        }
        return ReplayPlan(
            rows: rows, identity: TraceIdentity(run: "test"), concurrency: concurrency, pace: pace,
            retryNs: 60_000_000_000, silenceNs: 60_000_000_000)
    }

    static func charged(_ step: ReplayStep, _ row: TraceRow) -> Result<ReplayAnswer, RPCError> {
        .success(ReplayAnswer(replayed: false, chargedMicros: step == .commit ? row.contextTokens : 0))
    }

    @Test(arguments: [1, 2, 64, 500])
    func everyRowIsReservedThenCommittedOnce(concurrency: Int) async {
        let caller = FakeCaller { step, row, _ in Self.charged(step, row) }
        let report = await Replay(Self.plan(rows: 200, concurrency: concurrency), caller: caller).run { _ in }
        #expect(report.isComplete && report.failedRows == 0 && report.stopped == nil)
        #expect(report.steps == 400 && report.replayedSteps == 0 && report.retries == 0)
        #expect(report.chargedMicros == 199 * 200 / 2)
        #expect(report.reserveLatency.count == 200 && report.commitLatency.count == 200)
        caller.seen.withLock { seen in
            #expect(seen.calls.count == 400)
            #expect(seen.mostInFlight <= concurrency)
            var reserved: Set<StepID> = []
            var committed: Set<StepID> = []
            for call in seen.calls {
                switch call.step {
                case .reserve: #expect(reserved.insert(call.id).inserted)
                case .commit: #expect(reserved.contains(call.id) && committed.insert(call.id).inserted)
                }
            }
        }
    }

    @Test func aStepWithoutAnAnswerIsSentAgainWithItsId() async {
        let caller = FakeCaller { step, row, before in
            before < 2 && row.contextTokens % 3 == 0
                ? .failure(RPCError(code: .unavailable, message: "gone")) : Self.charged(step, row)
        }
        let report = await Replay(Self.plan(rows: 9, concurrency: 4), caller: caller).run { _ in }
        #expect(report.isComplete && report.failedRows == 0)
        #expect(report.retries == 3 * 2 * 2)
        #expect(report.chargedMicros == 36)
        #expect(caller.seen.withLock { Set($0.calls.map(\.id)).count } == 9)
    }

    @Test func theRetryingEnds() async {
        let caller = FakeCaller { _, _, _ in .failure(RPCError(code: .unavailable, message: "gone")) }
        var plan = Self.plan(rows: 9, concurrency: 4)
        plan.retryNs = 1
        let report = await Replay(plan, caller: caller).run { _ in }
        #expect(!report.isComplete)
        #expect(report.stopped?.contains("gone") == true)
        #expect(report.failures["UNAVAILABLE"] != nil)
    }

    @Test func aRefusalOfTheLedgerFailsItsRowAlone() async {
        let caller = FakeCaller { step, row, _ in
            row.contextTokens == 5
                ? .failure(RPCError(code: .resourceExhausted, message: "no credits")) : Self.charged(step, row)
        }
        let report = await Replay(Self.plan(rows: 20, concurrency: 3), caller: caller).run { _ in }
        #expect(report.meteredRows == 19 && report.failedRows == 1 && report.stopped == nil)
        #expect(report.failures["RESOURCE_EXHAUSTED"]?.count == 1)
        #expect(report.failureLines == ["1 calls failed with RESOURCE_EXHAUSTED: no credits"])
    }

    @Test func anErrorThatConcernsEveryRowEndsTheReplay() async {
        let caller = FakeCaller { _, _, _ in .failure(RPCError(code: .unauthenticated, message: "who?")) }
        let report = await Replay(Self.plan(rows: 1_000, concurrency: 2), caller: caller).run { _ in }
        #expect(report.meteredRows == 0 && report.failedRows < 1_000)
        #expect(report.stopped?.contains("--key") == true)
    }

    @Test func aSilentServerIsGivenUp() async {
        let caller = FakeCaller { _, _, _ in nil }
        var plan = Self.plan(rows: 4, concurrency: 2)
        plan.silenceNs = 1_000_000
        let report = await Replay(plan, caller: caller).run { _ in }
        #expect(report.stopped?.hasPrefix("no answer for") == true)
        #expect(report.meteredRows == 0)
    }

    @Test func atAPaceNoRowBeginsBeforeItsTime() async {
        let caller = FakeCaller { step, row, _ in Self.charged(step, row) }
        // 20 ms of the trace, half as fast as it was.
        let report = await Replay(Self.plan(rows: 20, concurrency: 64, pace: 0.5), caller: caller).run { _ in }
        #expect(report.isComplete)
        #expect(report.elapsedNs >= 38_000_000)
    }

    @Test func anEmptyTraceIsDoneAtOnce() async {
        let caller = FakeCaller { _, _, _ in nil }
        let report = await Replay(Self.plan(rows: 0, concurrency: 1), caller: caller).run { _ in }
        #expect(report.isComplete && report.steps == 0 && report.stepsPerSecond == 0)
        #expect(report.text().contains("0 of 0 metered"))
        #expect(report.json.text.contains(#""rows":0"#))
    }
}

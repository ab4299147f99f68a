import Glibc
import Ledger
import LoadGenerator
import Locks
import RPC

/// Meters the calls of a trace: for each row a reserve, then a commit, so many rows at the same time.
///
/// Answers drive it: on the thread of an answer the row's next step, or the next row's first, is sent at once. The task in `run`
/// only does what time asks for: steps that are to be sent again, rows whose time has come, and the progress that is shown.
/// A step that is sent again has the same id, so that it cannot count twice.
final class Replay: Sendable {
    private let plan: ReplayPlan
    private let caller: any ReplayCaller
    private let state = Protected(State())

    /// What stands behind the lock.
    private struct State: Sendable {
        var report = ReplayReport()
        /// When `run` began.
        var startNs: Int64 = 0
        var nextRow = 0
        /// Rows that have begun and have not ended.
        var openRows = 0
        /// Steps that wait to be sent again; at most one for each open row.
        var waiting: [Attempt] = []
        var lastAnswerNs: Int64 = 0
    }

    /// One step of one row, sent for the n-th time.
    private struct Attempt: Sendable {
        var step: ReplayStep
        var row: Int
        /// When it was sent for the first time.
        var firstNs: Int64
        /// How often its answer did not come.
        var failures = 0
        /// When it is to be sent again.
        var dueNs: Int64 = 0
    }

    /// What the progress bar shows.
    struct Progress: Sendable {
        var doneRows: Int
        var rows: Int
        var steps: Int
        var elapsedNs: Int64
    }

    /// A replay that has not begun.
    init(_ plan: ReplayPlan, caller: any ReplayCaller) {
        precondition(plan.concurrency > 0 && plan.pace.map { $0 > 0 } ?? true, "A replay moves.")
        self.plan = plan
        self.caller = caller
    }

    /// Meters all rows and tells what came of it. Called once.
    func run(showing show: @Sendable (Progress) -> Void) async -> ReplayReport {
        let startNs = monotonicNs()
        state.withLock { state in
            state.report.rows = plan.rows.count
            state.startNs = startNs
            state.lastAnswerNs = startNs
        }
        while true {
            let nowNs = monotonicNs()
            sendDue(nowNs: nowNs)
            startRows()
            let (isOver, progress, waitNs) = state.withLock { state in
                (
                    Self.isOver(&state, plan: plan, nowNs: nowNs),
                    Progress(
                        doneRows: state.report.meteredRows + state.report.failedRows, rows: plan.rows.count,
                        steps: state.report.steps, elapsedNs: nowNs - startNs),
                    wait(state, nowNs: nowNs)
                )
            }
            show(progress)
            if isOver { break }
            try? await Task.sleep(for: .nanoseconds(waitNs))
        }
        return state.withLock { state in
            var report = state.report
            report.elapsedNs = state.lastAnswerNs - startNs
            return report
        }
    }

    /// Whether nothing is left to do, or to hope for.
    private static func isOver(_ state: inout State, plan: ReplayPlan, nowNs: Int64) -> Bool {
        if state.openRows == 0 { return state.report.stopped != nil || state.nextRow == plan.rows.count }
        guard state.waiting.count < state.openRows, nowNs - state.lastAnswerNs > plan.silenceNs else { return false }
        state.report.stopped = "no answer for \(durationText(ns: nowNs - state.lastAnswerNs)): look at the server's log"
        return true
    }

    /// How long until time asks for something again.
    private func wait(_ state: State, nowNs: Int64) -> Int64 {
        var untilNs = nowNs + 20_000_000
        for attempt in state.waiting { untilNs = min(untilNs, attempt.dueNs) }
        if state.nextRow < plan.rows.count, state.openRows < plan.concurrency {
            untilNs = min(untilNs, state.startNs + plan.dueNs(ofRow: state.nextRow))
        }
        return max(200_000, untilNs - nowNs)
    }

    /// Begins rows as long as there is room, and their time has come.
    private func startRows() {
        while true {
            let nowNs = monotonicNs()
            let row: Int? = state.withLock { state in
                guard state.report.stopped == nil, state.nextRow < plan.rows.count, state.openRows < plan.concurrency,
                    plan.pace == nil || state.startNs + plan.dueNs(ofRow: state.nextRow) <= nowNs
                else { return nil }
                state.openRows += 1
                state.nextRow += 1
                return state.nextRow - 1
            }
            guard let row else { return }
            send(Attempt(step: .reserve, row: row, firstNs: nowNs))
        }
    }

    private func send(_ attempt: Attempt) {
        let row = plan.rows[attempt.row]
        caller.start(attempt.step, id: plan.identity.id(of: row, number: attempt.row), row: row) { [self] result in
            switch result {
            case .success(let answer): answered(attempt, answer)
            case .failure(let error): failed(attempt, error)
            }
        }
    }
}

// What answers bring about.
extension Replay {
    /// A step was done: the row goes on, or is done and makes room for another.
    private func answered(_ attempt: Attempt, _ answer: ReplayAnswer) {
        let nowNs = monotonicNs()
        state.withLock { state in
            state.lastAnswerNs = nowNs
            state.report.steps += 1
            if answer.replayed { state.report.replayedSteps += 1 }
            switch attempt.step {
            case .reserve:
                state.report.reserveLatency.record(nowNs - attempt.firstNs)
            case .commit:
                state.report.commitLatency.record(nowNs - attempt.firstNs)
                state.report.chargedMicros += answer.chargedMicros
                state.report.meteredRows += 1
                state.openRows -= 1
            }
        }
        switch attempt.step {
        case .reserve: send(Attempt(step: .commit, row: attempt.row, firstNs: nowNs))
        case .commit: startRows()
        }
    }

    /// A step was refused, or its answer did not come.
    private func failed(_ attempt: Attempt, _ error: RPCError) {
        let nowNs = monotonicNs()
        // Only of these is it unknown, or known not to be so, that the step was done.
        let mayBeSentAgain = error.code == .unavailable && nowNs - attempt.firstNs < plan.retryNs
        state.withLock { state in
            if mayBeSentAgain {
                var attempt = attempt
                attempt.dueNs = nowNs + Self.retryWaitNs(failures: attempt.failures)
                attempt.failures += 1
                state.report.retries += 1
                state.waiting.append(attempt)
                return
            }
            state.lastAnswerNs = nowNs
            state.openRows -= 1
            state.report.failedRows += 1
            Self.count(error, in: &state.report)
            if Self.concernsEveryRow(error) { state.report.stopped = state.report.stopped ?? error.sentence }
        }
        if !mayBeSentAgain { startRows() }
    }

    /// Sends again what has waited long enough.
    private func sendDue(nowNs: Int64) {
        let due = state.withLock { state in
            let due = state.waiting.filter { $0.dueNs <= nowNs }
            state.waiting.removeAll { $0.dueNs <= nowNs }
            return due
        }
        for attempt in due { send(attempt) }
    }

    /// Twice as long each time, up to a bound.
    private static func retryWaitNs(failures: Int) -> Int64 {
        min(Limits.retryFirstMs << Int64(min(failures, 16)), Limits.retryLongestMs) * 1_000_000
    }

    private static func count(_ error: RPCError, in report: inout ReplayReport) {
        var reason = error.reason ?? error.code.name
        if report.failures[reason] == nil, report.failures.count >= Limits.failureKinds { reason = "other reasons" }
        report.failures[reason, default: (0, error.message)].count += 1
    }

    /// Whether the next row would meet the same error, so that there is no use in going on: all but refusals of the ledger.
    private static func concernsEveryRow(_ error: RPCError) -> Bool {
        switch error.code {
        case .resourceExhausted, .alreadyExists, .failedPrecondition: false
        case .notFound: error.reason != "RESERVATION_NOT_FOUND"
        default: true
        }
    }
}

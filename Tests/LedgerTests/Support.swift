import Ledger
import Testing

/// Begin of the tests' time: 2026-11-21T00:00:00Z.
let start = Instant(microseconds: 1_795_219_200_000_000)

let second: Int64 = 1_000_000
let minute: Int64 = 60 * second
let hour: Int64 = 60 * minute
let day: Int64 = 24 * hour

/// A time-ordered id: greater numbers came later.
func id(_ number: Int) -> StepID {
    StepID(high: UInt64(number) << 16 | 0x7000, low: 0x8000_0000_0000_0000 | UInt64(number))
}

/// An id that says nothing about time (version 4).
func otherID(_ number: Int) -> StepID {
    StepID(high: UInt64(number) << 16 | 0x4000, low: 0x8000_0000_0000_0000 | UInt64(number))
}

/// A book with a clock, as an engine drives it; every entry that came about is kept.
final class TestBook {
    var state = LedgerState()
    var now = start
    var entries: [Entry] = []
    private var grantCount = 0

    func wait(_ microseconds: Int64) {
        now = now.advanced(microseconds: microseconds)
        settle()
    }

    func settle() {
        entries += state.settle(at: now)
    }

    /// Does a step of which memory knows enough.
    func step(_ command: Command, sourceLocation: SourceLocation = #_sourceLocation) -> Decision {
        settle()
        #expect(state.recall(for: command) == nil, sourceLocation: sourceLocation)
        let decision = state.decide(command, at: now)
        for entry in decision.entries { state.evolve(entry) }
        entries += decision.entries
        return decision
    }

    func outcome(_ command: Command) -> Result<StepAnswer, Refusal> { step(command).outcome }

    /// Adds a grant, which gets the next number.
    @discardableResult
    func grant(_ amount: Int64, _ kind: GrantKind = .purchased, expiresIn: Int64? = nil) -> Result<StepAnswer, Refusal>
    {
        grantCount += 1
        let expiresAt = expiresIn.map { now.advanced(microseconds: $0) }
        return outcome(
            .grant(
                GrantCommand(
                    id: id(1_000_000 + grantCount), fingerprint: 1, kind: kind, amountMicros: amount,
                    expiresAt: expiresAt)))
    }

    @discardableResult
    func reserve(
        _ number: Int, _ amount: Int64, minimum: Int64? = nil, ttl: Int64 = 15 * minute, fingerprint: UInt64 = 2
    ) -> Result<StepAnswer, Refusal> {
        outcome(
            .reserve(
                ReserveCommand(
                    id: id(number), fingerprint: fingerprint, ask: .amount(amount), minimumMicros: minimum,
                    ttlMicroseconds: ttl)))
    }

    @discardableResult
    func charge(_ number: Int, _ amount: Int64) -> Result<StepAnswer, Refusal> {
        outcome(.charge(ReserveCommand(id: id(number), fingerprint: 3, ask: .amount(amount))))
    }

    @discardableResult
    func commit(
        _ number: Int, _ amount: Int64, partial: Bool = false, step: StepID? = nil, fingerprint: UInt64 = 4
    ) -> Result<StepAnswer, Refusal> {
        outcome(
            .commit(
                CommitCommand(
                    reservation: id(number), id: step, fingerprint: fingerprint, ask: .amount(amount),
                    partial: partial)))
    }

    @discardableResult
    func release(_ number: Int) -> Result<StepAnswer, Refusal> {
        outcome(.release(ReleaseCommand(reservation: id(number), fingerprint: 5)))
    }

    @discardableResult
    func refund(_ step: Int, of number: Int, _ amount: Int64? = nil) -> Result<StepAnswer, Refusal> {
        outcome(
            .refund(RefundCommand(id: id(step), reservation: id(number), fingerprint: 6, amountMicros: amount)))
    }

    @discardableResult
    func extend(_ number: Int, by ttl: Int64, step: StepID? = nil) -> Result<StepAnswer, Refusal> {
        outcome(
            .extend(ExtendCommand(reservation: id(number), id: step, fingerprint: 7, ttlMicroseconds: ttl)))
    }

    /// What is available of each grant, by number.
    var available: [Int64] { state.grants.map(\.available) }
    var held: [Int64] { state.grants.map(\.held) }
    var consumed: [Int64] { state.grants.map(\.consumed) }
    var expired: [Int64] { state.grants.map(\.expired) }

    func progress(_ number: Int) -> ReservationProgress? { state.reservation(id(number))?.progress }
}

extension Result where Success == StepAnswer, Failure == Refusal {
    var refusal: Refusal? {
        if case .failure(let refusal) = self { refusal } else { nil }
    }

    var answer: StepAnswer? { try? get() }
}

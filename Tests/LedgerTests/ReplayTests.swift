import Ledger
import Testing

/// The same step twice has one effect and one answer; the same id with other contents is refused.
@Suite struct ReplayTests {
    /// One step of each kind, after a grant of 1,000 and a hold of 100 under id 1.
    static let steps: [Command] = [
        .grant(GrantCommand(id: id(20), fingerprint: 20, kind: .gifted, amountMicros: 5)),
        .reserve(ReserveCommand(id: id(21), fingerprint: 21, ask: .amount(30))),
        .charge(ReserveCommand(id: id(22), fingerprint: 22, ask: .amount(30))),
        .commit(CommitCommand(reservation: id(1), fingerprint: 23, ask: .amount(30))),
        .commit(CommitCommand(reservation: id(1), id: id(24), fingerprint: 24, ask: .amount(30))),
        .commit(CommitCommand(reservation: id(1), fingerprint: 25, ask: .amount(30), partial: true)),
        .commit(CommitCommand(reservation: id(1), id: id(26), fingerprint: 26, ask: .amount(30), partial: true)),
        .release(ReleaseCommand(reservation: id(1), fingerprint: 27)),
        .refund(RefundCommand(id: id(28), reservation: id(2), fingerprint: 28, amountMicros: 7)),
        .extend(ExtendCommand(reservation: id(1), id: id(29), fingerprint: 29, ttlMicroseconds: hour)),
    ]

    private func book() -> TestBook {
        let book = TestBook()
        book.grant(1_000)
        book.reserve(1, 100)
        book.charge(2, 10)
        return book
    }

    @Test(arguments: steps.indices)
    func `a step sent again gets the first answer and has no effect`(index: Int) {
        let book = book()
        let first = book.step(Self.steps[index])
        #expect(first.outcome.answer != nil)
        #expect(!first.replayed)
        book.charge(99, 11)
        book.refund(98, of: 2, 1)
        let before = book.state.snapshot()
        let again = book.step(Self.steps[index])
        #expect(again.replayed)
        #expect(again.outcome == first.outcome)
        #expect(again.entries.isEmpty)
        #expect(book.state.snapshot() == before)
    }

    @Test(arguments: steps.indices)
    func `an id used again with other contents is refused`(index: Int) throws {
        let book = book()
        #expect(book.step(Self.steps[index]).outcome.answer != nil)
        let other: Command
        switch Self.steps[index] {
        case .grant(var grant):
            grant.fingerprint = 999
            other = .grant(grant)
        case .reserve(var reserve):
            reserve.fingerprint = 999
            other = .charge(reserve)
        case .charge(var charge):
            charge.fingerprint = 999
            other = .reserve(charge)
        case .commit(var commit):
            // Without an id of its own a part with other contents is another part.
            if commit.partial, commit.id == nil { return }
            commit.fingerprint = 999
            other = .commit(commit)
        case .release(var release):
            release.fingerprint = 999
            other = .release(release)
        case .refund(var refund):
            refund.fingerprint = 999
            other = .refund(refund)
        case .extend(var extend):
            extend.fingerprint = 999
            other = .extend(extend)
        case .subscribe, .set, .revoke, .note:
            return
        }
        #expect(book.outcome(other).refusal == .idReused)
    }

    @Test func `a replay is looked at before anything that could refuse`() {
        let book = TestBook()
        book.grant(10)
        book.reserve(1, 10)
        book.commit(1, 10)
        #expect(book.reserve(1, 10).answer?.reservation?.progress.state == .open)
        book.wait(30 * day)
        #expect(book.commit(1, 10).answer?.amount == 10)
    }

    @Test func `a refusal for lack of credits is remembered though credits came`() {
        let book = TestBook()
        #expect(book.reserve(1, 10).refusal == .insufficientCredits(neededMicros: 10, availableMicros: 0))
        book.grant(100)
        let again = book.step(.reserve(ReserveCommand(id: id(1), fingerprint: 2, ask: .amount(10))))
        #expect(again.replayed)
        #expect(again.outcome.refusal == .insufficientCredits(neededMicros: 10, availableMicros: 0))
        #expect(book.reserve(1, 9, fingerprint: 55).refusal == .idReused)
        #expect(book.reserve(2, 10).answer?.amount == 10)
    }

    @Test func `a refused commit without an id may be tried with other contents`() {
        let book = TestBook()
        book.grant(10)
        book.reserve(1, 10)
        #expect(book.commit(1, 11).refusal != nil)
        book.grant(5)
        #expect(book.commit(1, 11).refusal != nil)
        #expect(book.commit(1, 16, fingerprint: 45).refusal != nil)
        #expect(book.commit(1, 12, fingerprint: 46).answer?.amount == 12)
        #expect(book.commit(1, 12, fingerprint: 46).answer?.amount == 12)
        #expect(book.commit(1, 11).refusal == .idReused)
    }

    @Test func `other refusals are decided anew each time`() {
        let book = TestBook()
        book.grant(10)
        #expect(book.commit(1, 1).refusal == .reservationNotFound)
        book.reserve(1, 5)
        #expect(book.commit(1, 1).answer?.amount == 1)
    }

    @Test func `an id may be used once in each family`() {
        let book = TestBook()
        book.grant(100)
        book.reserve(1, 10)
        book.commit(1, 4, partial: true, step: id(1), fingerprint: 70)
        #expect(book.refund(1, of: 1, 2).answer?.amount == 2)
        #expect(book.extend(1, by: hour, step: id(1)).answer != nil)
        // A part took the id under which a final commit without an id of its own would go.
        #expect(book.commit(1, 1).refusal == .idReused)
        #expect(book.commit(1, 1, step: id(2)).answer?.amount == 1)
    }

    @Test func `answers are made again from entries to the letter`() throws {
        let book = book()
        for command in Self.steps {
            guard let answer = book.outcome(command).answer, let entry = book.entries.last else { continue }
            let opening = book.entries.first { $0.reservation == entry.reservation && $0.kind != .grant }
            #expect(StepAnswer.answer(for: entry, opening: opening) == answer)
            #expect(RecordedStep.recorded(for: entry, opening: opening)?.outcome == .success(answer))
        }
    }
}

import Ledger
import SeededRandom
import Testing

/// Holds and what becomes of them: commits of every size, parts, releases, the end by time, late commits, extensions.
@Suite struct CommitTests {
    private func book(_ amount: Int64 = 100) -> TestBook {
        let book = TestBook()
        book.grant(amount)
        return book
    }

    @Test(arguments: [(0, 100, 0), (3, 97, 3), (10, 90, 10), (25, 75, 25), (100, 0, 100)])
    func `a commit charges what was used and gives the rest back`(used: Int64, available: Int64, consumed: Int64) {
        let book = book()
        book.reserve(1, 10)
        let answer = book.commit(1, used).answer
        #expect(answer?.kind == .commit)
        #expect(answer?.amount == used)
        #expect(answer?.balance == BalanceAfter(available: available, held: 0))
        #expect(answer?.reservation?.progress.state == .committed)
        #expect(answer?.reservation?.progress.committed == consumed)
        #expect(answer?.reservation?.progress.closedAt == start)
    }

    @Test func `a commit larger than what is there is refused whole and the hold stays`() {
        let book = book(20)
        book.reserve(1, 10)
        book.reserve(2, 5)
        #expect(book.commit(1, 16).refusal == .insufficientCredits(neededMicros: 6, availableMicros: 5))
        #expect(book.progress(1)?.state == .open)
        #expect(book.state.balance == BalanceAfter(available: 5, held: 15))
        #expect(book.commit(1, 15, fingerprint: 44).answer?.balance == BalanceAfter(available: 0, held: 5))
    }

    @Test func `partial commits keep the hold open and count together`() {
        let book = book()
        book.reserve(1, 10)
        #expect(book.commit(1, 4, partial: true, step: id(50)).answer?.balance == BalanceAfter(available: 90, held: 6))
        #expect(book.commit(1, 6, partial: true, step: id(51)).answer?.balance == BalanceAfter(available: 90, held: 0))
        #expect(book.commit(1, 5, partial: true, step: id(52)).answer?.balance == BalanceAfter(available: 85, held: 0))
        #expect(book.progress(1)?.state == .open)
        #expect(book.commit(1, 1).answer?.reservation?.progress.committed == 16)
        #expect(book.commit(1, 1, partial: true, step: id(53)).refusal == .reservationClosed(.committed))
    }

    @Test func `partial commits without an id are told apart by their contents`() {
        let book = book()
        book.reserve(1, 10)
        book.commit(1, 2, partial: true, fingerprint: 100)
        book.commit(1, 3, partial: true, fingerprint: 101)
        let again = book.step(
            .commit(CommitCommand(reservation: id(1), fingerprint: 100, ask: .amount(2), partial: true)))
        #expect(again.replayed)
        #expect(again.outcome.answer?.balance == BalanceAfter(available: 90, held: 8))
        #expect(book.progress(1)?.committed == 5)
    }

    @Test func `a commit charges the grants in the order in which they were drawn and gives back in reverse`() {
        let book = TestBook()
        book.grant(10, expiresIn: day)
        book.grant(10)
        book.reserve(1, 20)
        book.commit(1, 12)
        #expect(book.consumed == [10, 2])
        #expect(book.available == [0, 8])
    }

    @Test func `a release gives back all that is held and keeps what was charged`() {
        let book = book()
        book.reserve(1, 10)
        book.commit(1, 4, partial: true, step: id(50))
        let answer = book.release(1).answer
        #expect(answer?.amount == 6)
        #expect(answer?.balance == BalanceAfter(available: 96, held: 0))
        #expect(answer?.reservation?.progress.state == .released)
        #expect(book.commit(1, 1).refusal == .reservationClosed(.released))
        #expect(book.refund(60, of: 1).answer?.amount == 4)
    }

    @Test func `a hold ends by itself at its exact time and not at the next look`() {
        let book = book()
        book.reserve(1, 10, ttl: minute)
        book.commit(1, 4, partial: true, step: id(50))
        book.wait(hour)
        #expect(book.entries.last?.kind == .holdExpiry)
        #expect(book.entries.last?.at == start.advanced(microseconds: minute))
        #expect(book.state.balance == BalanceAfter(available: 96, held: 0))
        #expect(book.progress(1)?.state == .expired)
        #expect(book.progress(1)?.committed == 4)
        #expect(book.release(1).refusal == .reservationClosed(.expired))
    }

    @Test func `holds and grants end in the order of time, and holds first at the same instant`() {
        let book = TestBook()
        book.grant(10, expiresIn: 2 * minute)
        book.grant(10, expiresIn: 3 * minute)
        book.reserve(1, 4, ttl: 2 * minute)
        book.reserve(2, 3, ttl: minute)
        book.wait(hour)
        let ends = book.entries.suffix(4)
        #expect(ends.map(\.kind) == [.holdExpiry, .holdExpiry, .grantExpiry, .grantExpiry])
        #expect(ends.map(\.amount) == [3, 4, 6, 10])
        #expect(book.expired == [10, 10])
    }

    @Test func `a hold whose time is just over is over`() {
        let book = book()
        book.reserve(1, 10, ttl: minute)
        book.wait(minute)
        #expect(book.commit(1, 1, partial: true, step: id(50)).refusal == .reservationClosed(.expired))
    }

    @Test(arguments: [(0, true), (10 * minute, true), (10 * minute + 1, false)])
    func `a commit up to ten minutes late is charged where the credits are there, and says so`(
        late: Int64, isCharged: Bool
    ) {
        let book = book()
        book.reserve(1, 10, ttl: minute)
        book.wait(minute + late)
        let outcome = book.commit(1, 7)
        if isCharged {
            #expect(outcome.answer?.reservation?.progress.late == true)
            #expect(outcome.answer?.reservation?.progress.state == .committed)
            #expect(outcome.answer?.balance == BalanceAfter(available: 93, held: 0))
            #expect(book.refund(60, of: 1).answer?.amount == 7)
        } else {
            #expect(outcome.refusal == .reservationClosed(.expired))
        }
    }

    @Test func `a late commit that is not covered is refused whole`() {
        let book = book(10)
        book.reserve(1, 10, ttl: minute)
        book.wait(2 * minute)
        book.charge(2, 8)
        #expect(book.commit(1, 3).refusal == .insufficientCredits(neededMicros: 3, availableMicros: 2))
        #expect(book.progress(1)?.state == .expired)
        #expect(book.commit(1, 2, fingerprint: 44).answer?.balance.available == 0)
    }

    @Test func `an extension moves the end later and never earlier`() {
        let book = book()
        book.reserve(1, 10, ttl: 10 * minute)
        #expect(
            book.extend(1, by: minute).answer?.reservation?.progress.expiresAt
                == start.advanced(microseconds: 10 * minute))
        #expect(book.extend(1, by: hour).answer?.reservation?.progress.expiresAt == start.advanced(microseconds: hour))
        #expect(book.state.nextDeadline == start.advanced(microseconds: hour))
        book.wait(30 * minute)
        #expect(book.progress(1)?.state == .open)
        book.wait(30 * minute)
        #expect(book.progress(1)?.state == .expired)
        #expect(book.extend(1, by: hour).refusal == .reservationClosed(.expired))
    }

    @Test(arguments: [(5, 5), (10, 10), (20, nil)] as [(Int64, Int64?)])
    func `a hold may be smaller than asked, down to its minimum`(minimum: Int64, held: Int64?) {
        let book = book(10)
        let outcome = book.reserve(1, 30, minimum: minimum)
        if held != nil {
            #expect(outcome.answer?.amount == 10)
        } else {
            #expect(outcome.refusal == .insufficientCredits(neededMicros: 20, availableMicros: 10))
        }
    }

    @Test func `a charge reserves and commits in one`() {
        let book = book()
        let answer = book.charge(1, 30).answer
        #expect(answer?.kind == .charge)
        #expect(answer?.balance == BalanceAfter(available: 70, held: 0))
        #expect(answer?.reservation?.progress.state == .committed)
        #expect(book.charge(2, 71).refusal == .insufficientCredits(neededMicros: 71, availableMicros: 70))
    }

    @Test func `steps on a reservation that never was are refused`() {
        let book = book()
        #expect(book.commit(1, 1).refusal == .reservationNotFound)
        #expect(book.release(1).refusal == .reservationNotFound)
        #expect(book.refund(9, of: 1).refusal == .reservationNotFound)
        #expect(book.extend(1, by: minute).refusal == .reservationNotFound)
        #expect(book.entries.count == 1)
    }

    @Test func `ten thousand holds end in the order of time, however they were made, extended and closed`() {
        let book = book(1_000_000)
        var generator = SeededRandom(seed: 7)
        for number in 1...10_000 {
            book.reserve(number, 1, ttl: generator.amount(hour...2 * hour))
            if generator.chance(20) { book.extend(number, by: generator.amount(hour...3 * hour)) }
            if generator.chance(60) { book.commit(number, 1) }
        }
        let open = book.state.openReservations().map(\.progress.expiresAt).sorted()
        #expect(book.state.openReservationCount == open.count)
        #expect(book.state.nextDeadline == open.first)
        book.wait(day)
        #expect(book.entries.suffix(open.count).map(\.at) == open)
        #expect(book.state.openReservationCount == 0)
        #expect(book.state.nextDeadline == nil)
    }
}

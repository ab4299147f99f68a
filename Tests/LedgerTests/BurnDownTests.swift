import Ledger
import Testing

/// Which grant is taken first, and which gets back.
@Suite struct BurnDownTests {
    @Test func `credits are taken from the grant that expires first`() {
        let book = TestBook()
        book.grant(10)
        book.grant(10, expiresIn: 2 * day)
        book.grant(10, expiresIn: day)
        book.reserve(1, 15)
        #expect(book.available == [10, 5, 0])
        #expect(book.held == [0, 5, 10])
    }

    @Test(arguments: [
        [GrantKind.purchased, .gifted, .complimentary, .subscription], [.gifted, .subscription, .purchased],
    ])
    func `among grants that expire together subscription, complimentary, gifted, purchased are taken in turn`(
        kinds: [GrantKind]
    ) {
        let book = TestBook()
        for kind in kinds { book.grant(10, kind, expiresIn: day) }
        for (index, kind) in kinds.sorted(by: { $0.burnRank < $1.burnRank }).enumerated() {
            book.charge(index + 1, 10)
            let used = book.state.grants.filter { $0.available == 0 }.map(\.kind)
            #expect(used.contains(kind) && used.count == index + 1)
        }
    }

    @Test func `among equals the oldest grant is taken first`() {
        let book = TestBook()
        for _ in 0..<3 { book.grant(10, .gifted) }
        book.reserve(1, 12)
        #expect(book.available == [0, 8, 10])
    }

    @Test func `a grant that was used up and got back is taken in its old turn`() {
        let book = TestBook()
        book.grant(10, expiresIn: day)
        book.grant(10)
        book.reserve(1, 10)
        book.reserve(2, 3)
        book.release(1)
        book.reserve(3, 4)
        #expect(book.held == [4, 3])
    }

    @Test func `a hold over ten thousand grants takes them in order`() {
        let book = TestBook()
        for number in 0..<10_000 { book.grant(1, expiresIn: day + Int64(10_000 - number)) }
        book.reserve(1, 9_999)
        #expect(book.available[0] == 1)
        #expect(book.state.totals.held == 9_999)
        book.release(1)
        book.charge(2, 10_000)
        #expect(book.state.totals.consumed == 10_000)
    }

    @Test func `a hold of more draws than a record takes is refused`() {
        let book = TestBook()
        for _ in 0..<16_385 { book.grant(1) }
        #expect(book.reserve(1, 16_385).refusal == .overflow)
        #expect(book.reserve(2, 16_384).answer?.amount == 16_384)
    }

    @Test func `credits expire at the exact time and no sooner`() {
        let book = TestBook()
        book.grant(10, expiresIn: hour)
        book.wait(hour - 1)
        #expect(book.state.balance.available == 10)
        book.wait(10 * day)
        #expect(book.state.balance.available == 0)
        #expect(book.expired == [10])
        #expect(book.entries.last?.at == start.advanced(microseconds: hour))
        #expect(book.entries.last?.kind == .grantExpiry)
    }

    @Test func `a grant that would be over when it is made is refused, and a replay of one that was made is not`() {
        let book = TestBook()
        #expect(book.grant(5, expiresIn: 0).refusal == .expiryPassed)
        #expect(book.grant(5, expiresIn: -second).refusal == .expiryPassed)
        #expect(book.available.isEmpty)
        let made = Command.grant(
            GrantCommand(
                id: id(1), fingerprint: 1, kind: .gifted, amountMicros: 5,
                expiresAt: start.advanced(microseconds: hour)))
        let first = book.outcome(made)
        book.wait(2 * hour)
        #expect(book.step(made).replayed)
        #expect(book.outcome(made) == first)
    }

    @Test func `a grant with nothing available does not expire`() {
        let book = TestBook()
        book.grant(10, expiresIn: hour)
        book.charge(1, 10)
        #expect(book.state.nextDeadline == nil)
        book.wait(2 * hour)
        #expect(book.entries.count == 2)
        #expect(book.consumed == [10])
    }

    @Test func `a sum of grants that does not fit 64 bits is refused`() {
        let book = TestBook()
        book.grant(.max - 5)
        #expect(book.grant(6).refusal == .overflow)
        #expect(book.grant(5).answer?.balance.available == .max)
    }

    @Test func `a hold keeps its credits beyond the end of its grant`() {
        let book = TestBook()
        book.grant(10, expiresIn: minute)
        book.reserve(1, 6)
        book.wait(2 * minute)
        #expect(book.expired == [4])
        #expect(book.commit(1, 6).answer?.amount == 6)
        #expect(book.consumed == [6])
    }

    @Test func `what comes back to a grant that is over expires at once`() {
        for giveBack in [0, 1, 2] {
            let book = TestBook()
            book.grant(10, expiresIn: minute)
            book.reserve(1, 6)
            if giveBack == 2 { book.commit(1, 6) }
            book.wait(2 * minute)
            switch giveBack {
            case 0: book.release(1)
            case 1: book.commit(1, 0)
            default: book.refund(9, of: 1)
            }
            #expect(book.expired == [10])
            #expect(book.state.balance == BalanceAfter(available: 0, held: 0))
        }
    }
}

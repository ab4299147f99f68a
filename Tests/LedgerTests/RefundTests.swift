import Ledger
import Testing

/// Refunds: whole, in parts, never more than was charged, back to where the credits came from.
@Suite struct RefundTests {
    @Test func `a refund goes back in the reverse of the order in which the grants were drawn`() {
        let book = TestBook()
        book.grant(10, expiresIn: day)
        book.grant(10)
        book.charge(1, 15)
        #expect(book.refund(50, of: 1, 7).answer?.balance.available == 12)
        #expect(book.consumed == [8, 0])
        #expect(book.available == [2, 10])
        #expect(book.state.grants.map(\.refunded) == [2, 5])
    }

    @Test func `refunds together never exceed what was charged`() {
        let book = TestBook()
        book.grant(10)
        book.charge(1, 10)
        #expect(book.refund(50, of: 1, 4).answer?.amount == 4)
        #expect(book.refund(51, of: 1, 7).refusal == .refundExceedsCommitted(refundableMicros: 6))
        #expect(book.refund(52, of: 1).answer?.amount == 6)
        #expect(book.refund(53, of: 1).refusal == .refundExceedsCommitted(refundableMicros: 0))
        #expect(book.progress(1)?.refunded == 10)
        #expect(book.progress(1)?.committed == 10)
    }

    @Test func `a refund of nothing charged is refused`() {
        let book = TestBook()
        book.grant(10)
        book.reserve(1, 10)
        #expect(book.refund(50, of: 1).refusal == .refundExceedsCommitted(refundableMicros: 0))
    }

    @Test func `what an open hold has charged can be refunded and charged again`() {
        let book = TestBook()
        book.grant(10)
        book.reserve(1, 6)
        book.commit(1, 4, partial: true, step: id(40))
        #expect(book.refund(50, of: 1).answer?.balance == BalanceAfter(available: 8, held: 2))
        #expect(book.commit(1, 10).answer?.balance == BalanceAfter(available: 0, held: 0))
        #expect(book.progress(1)?.committed == 14)
        #expect(book.refund(51, of: 1).answer?.amount == 10)
    }

    @Test func `charges and refunds that add up beyond 64 bits are refused`() {
        let book = TestBook()
        book.grant(.max)
        book.reserve(1, 1)
        #expect(book.commit(1, .max, partial: true, step: id(40)).answer?.balance.available == 0)
        #expect(book.refund(50, of: 1).answer?.balance.available == .max)
        #expect(book.commit(1, 1, partial: true, step: id(41)).refusal == .overflow)
        // The grant has been given back all it can count.
        book.charge(2, 1)
        #expect(book.refund(51, of: 2).refusal == .overflow)
    }

    @Test func `use is counted net of refunds, by the time of each`() {
        let book = TestBook()
        book.grant(1_000)
        book.charge(1, 100)
        book.wait(hour)
        book.charge(2, 30)
        book.refund(50, of: 1, 60)
        #expect(book.state.consumed(since: start) == 70)
        #expect(book.state.consumed(since: book.now) == -30)
        #expect(book.state.consumed(since: start.advanced(microseconds: 15 * minute)) == -30)
        book.wait(63 * day)
        book.charge(3, 1)
        #expect(book.state.consumed(since: .zero) == 1)
        #expect(book.state.usage.map(\.consumed) == [1])
    }
}

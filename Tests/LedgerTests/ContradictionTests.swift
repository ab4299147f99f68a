import Ledger
import Testing

/// An entry or a snapshot that cannot be is found out, whoever wrote it.
@Suite struct ContradictionTests {
    /// A book with a grant of 100, a hold of 10 under id 1 and a charge of 5 under id 2.
    private func book() -> TestBook {
        let book = TestBook()
        book.grant(100)
        book.reserve(1, 10)
        book.charge(2, 5)
        return book
    }

    /// The entries of a whole little life, one of which a test falsifies.
    private func entries() -> [Entry] {
        let book = book()
        book.commit(1, 4)
        book.refund(50, of: 2, 2)
        return book.entries
    }

    private func fault(in entries: [Entry]) -> Contradiction? {
        var state = LedgerState()
        do throws(Contradiction) {
            for entry in entries { try state.evolve(verifying: entry) }
            return nil
        } catch {
            return error
        }
    }

    @Test func `the entries of a book verify`() {
        #expect(fault(in: entries()) == nil)
    }

    /// A change to the entry at an index.
    struct Tampering: Sendable {
        let index: Int
        let change: @Sendable (inout Entry) -> Void

        init(_ index: Int, _ change: @escaping @Sendable (inout Entry) -> Void) {
            self.index = index
            self.change = change
        }
    }

    static let tamperings: [Tampering] = [
        Tampering(1) { $0.sequence = 3 }, Tampering(1) { $0.sequence = 0 }, Tampering(2) { $0.at = .zero },
        Tampering(1) { $0.after.held += 1 }, Tampering(1) { $0.moves[0].held = 200 },
        Tampering(1) { $0.moves[0].held = -1 }, Tampering(1) { $0.moves[0].grant = 2 },
        Tampering(1) { $0.moves[0].grant = 0 }, Tampering(1) { $0.moves[0].held = .max },
        Tampering(2) { $0.moves[0].consumed = .min }, Tampering(3) { $0.kind = .release },
        Tampering(3) { $0.kind = .extend }, Tampering(3) { $0.detail = .none },
        Tampering(3) { $0.reservation = id(2) }, Tampering(3) { $0.moves = [] },
        Tampering(4) { $0.moves[0].consumed = -6 }, Tampering(4) { $0.detail = .refusal(.overflow) },
        Tampering(1) { $0.detail = .price(version: 7, PricingTests.price) },
        Tampering(2) {
            $0.reservation = id(1)
            $0.key?.id = id(1)
        },
        Tampering(0) { $0.detail = .none }, Tampering(0) { $0.moves = [Move(grant: 1)] },
    ]

    @Test(arguments: tamperings.indices)
    func `an entry that was tampered with is found out`(index: Int) {
        var entries = entries()
        let tampering = Self.tamperings[index]
        tampering.change(&entries[tampering.index])
        #expect(fault(in: entries) != nil)
    }

    @Test(arguments: 0..<5)
    func `an entry that is missing or stands twice is found out`(index: Int) {
        var missing = entries()
        missing.remove(at: index)
        // The last one leaves no gap: the chain's head, not the core, shows that it is gone.
        #expect((fault(in: missing) != nil) == (index < 4))
        var twice = entries()
        twice.insert(twice[index], at: index)
        #expect(fault(in: twice) != nil)
        twice[index + 1].sequence += 1
        #expect(fault(in: twice) != nil)
    }

    @Test func `an entry that contradicts its book stops the process`() async {
        await #expect(processExitsWith: .failure) {
            var state = LedgerState()
            state.evolve(
                Entry(
                    sequence: 2, at: .zero, kind: .grantExpiry, after: BalanceAfter(available: 0, held: 0)))
        }
    }

    @Test func `the snapshot of a book checks`() throws {
        try book().state.snapshot().check()
    }

    static let snapshotTamperings: [@Sendable (inout BookSnapshot) -> Void] = [
        { $0.totals.available += 1 }, { $0.totals.granted = -1 }, { $0.grants[0].held += 1 },
        { $0.grants[0].number = 2 }, { $0.grants = [] }, { $0.openReservations = [] },
        { $0.grants[0].available = .max }, { $0.openReservations[0].progress.draws[0].grant = 9 },
        { $0.openReservations[0].progress.draws[0].held = 11 },
        { $0.openReservations[0].progress.draws[0].held = -1 },
        { $0.openReservations[0].progress.state = .expired },
        { $0.openReservations.append($0.openReservations[0]) },
        { $0.prices = [VersionedPrice(version: 2, price: PricingTests.price)] },
    ]

    @Test(arguments: snapshotTamperings.indices)
    func `a snapshot that was tampered with is found out`(index: Int) {
        var snapshot = book().state.snapshot()
        Self.snapshotTamperings[index](&snapshot)
        #expect(throws: Contradiction.self) { try snapshot.check() }
    }
}

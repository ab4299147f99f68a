import Engine
import Ledger
import Storage
import Testing

@Suite struct TimeTests {
    private static let start = Instant(microseconds: 1_700_000_000_000_000)

    private func at(_ seconds: Int64) -> Instant { Self.start.advanced(microseconds: seconds * 1_000_000) }

    /// How a tenant passes the time between its steps.
    enum Passing: CaseIterable { case awake, asleep, evicted, restarted }

    @Test func holdsAndGrantsEndAtTheirExactTimeWhetherAwakeOrAsleep() throws {
        let books = try Passing.allCases.map { try book(passing: $0) }
        let ends = books[0].filter { $0.kind == .holdExpiry || $0.kind == .grantExpiry }
        // What was left of the grant expires with it; what the last hold gives back to it expires at once.
        #expect(ends.map(\.at) == [at(10), at(20), at(40), at(100)])
        #expect(ends.map(\.kind) == [.holdExpiry, .holdExpiry, .grantExpiry, .holdExpiry])
        for book in books { #expect(book == books[0]) }
    }

    private func book(passing: Passing) throws -> [Entry] {
        let clock = ManualClock(Self.start)
        let directory = try TemporaryDirectory()
        var harness = try open(directory, clock)
        _ = try harness.step(grant(id(1), 1_000, expiresAt: at(40)))
        _ = try harness.step(grant(id(2), 500))
        _ = try harness.step(reserve(id(3), 100, ttlSeconds: 10))
        _ = try harness.step(reserve(id(4), 200, ttlSeconds: 20))
        _ = try harness.step(reserve(id(5), 300, ttlSeconds: 100))
        for second in stride(from: Int64(5), through: 120, by: 5) {
            clock.advance(to: at(second))
            switch passing {
            case .awake: harness.engine.tick()
            case .asleep: break
            case .evicted:
                if second % 30 == 0 {
                    #expect(eventually { harness.engine.pendingRecords == 0 })
                    _ = try harness.totals(tenant(1))
                }
            case .restarted:
                if second % 30 == 0 {
                    harness.engine.stop()
                    harness = try open(directory, clock)
                }
            }
        }
        _ = try harness.step(reserve(id(6), 1))
        try harness.verify()
        let entries = try harness.entries()
        harness.engine.stop()
        return entries
    }

    /// Of a hold that was open when its book was loaded memory knows that nobody released it, for as long as it is open.
    @Test func aReleaseInTheVeryMomentInWhichItsHoldEndsIsLookedUp() throws {
        let clock = ManualClock(Self.start)
        let first = try Harness(clock: clock)
        _ = try first.step(grant(id(1), 1_000))
        _ = try first.step(reserve(id(2), 100, ttlSeconds: 10))
        first.engine.stop()
        let second = try open(first.directory, clock)
        #expect(try second.totals().held == 100)
        clock.advance(to: at(10))
        let release = Command.release(ReleaseCommand(reservation: id(2), fingerprint: 1))
        #expect(throws: Refusal.reservationClosed(.expired)) { try second.answer(release) }
        #expect(try second.entries().map(\.kind) == [.grant, .reserve, .holdExpiry])
        try second.verify()
        second.engine.stop()
    }

    private func open(_ directory: TemporaryDirectory, _ clock: ManualClock) throws -> Harness {
        try Harness(directory, clock: clock) {
            $0.partitions = 1
            $0.limits.maxResidentTenants = 1
        }
    }

    @Test func whatIsDueEndsByItselfWithoutACall() throws {
        let clock = ManualClock(Self.start)
        let harness = try Harness(clock: clock) { $0.tickMs = 1 }
        _ = try harness.step(grant(id(1), 100))
        _ = try harness.step(reserve(id(2), 60, ttlSeconds: 10))
        #expect(eventually { harness.engine.pendingRecords == 0 })
        let before = harness.journal.batchSizes.count
        clock.advance(to: at(11))
        #expect(eventually { harness.journal.batchSizes.count > before })
        let entries = try harness.entries()
        #expect(entries.last?.kind == .holdExpiry)
        #expect(entries.last?.at == at(10))
        harness.engine.stop()
    }

    @Test func whatFellDueWhileTheJournalFailedEndsOnceItGoesOn() throws {
        let clock = ManualClock(Self.start)
        let harness = try Harness(clock: clock)
        _ = try harness.step(grant(id(1), 100))
        _ = try harness.step(reserve(id(2), 60, ttlSeconds: 10))
        harness.journal.fail(.system(operation: "write", path: "journal", errno: 28))
        clock.advance(to: at(11))
        harness.engine.tick()
        #expect(eventually { harness.health.journal == [false] })
        guard
            case .failure(.unavailable) = Result(catching: { try harness.totals() }).mapError({
                $0 as? EngineError ?? .stopping
            })
        else {
            Issue.record("a state that cannot be journaled is not shown")
            return
        }
        harness.journal.fail(nil)
        #expect(eventually { harness.health.journal == [false, true] })
        #expect(try harness.totals().available == 100)
        #expect(try harness.entries().last?.at == at(10))
        harness.engine.stop()
    }

    @Test func aClockThatJumpsBackDatesNothingEarlier() throws {
        let directory = try TemporaryDirectory()
        let first = try Harness(directory, clock: ManualClock(at(1_000)))
        _ = try first.step(grant(id(1), 100))
        first.engine.stop()
        let second = try Harness(directory, clock: ManualClock(Self.start))
        _ = try second.step(reserve(id(2), 60, ttlSeconds: 10))
        #expect(try second.entries().map(\.at) == [at(1_000), at(1_000)])
        second.engine.stop()
    }
}

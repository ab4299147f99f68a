import Engine
import Ledger
import Locks
import Storage
import Testing

/// Notes what it hears, in order.
private final class NotingListener: StepListener {
    enum Heard: Equatable { case decided(replayed: Bool), settled(isDone: Bool) }

    let queue: (any CompletionQueue)?
    let hasGone: Bool
    private let notes = Protected<[Heard]>([])

    init(queue: (any CompletionQueue)? = nil, hasGone: Bool = false) {
        self.queue = queue
        self.hasGone = hasGone
    }

    var heard: [Heard] { notes.withLock { $0 } }

    func decided(_ outcome: borrowing Result<StepAnswer, Refusal>, replayed: Bool) {
        notes.withLock { $0.append(.decided(replayed: replayed)) }
    }

    func settled(_ error: EngineError?) { notes.withLock { $0.append(.settled(isDone: error == nil)) } }
}

/// Counts how often it was given work, and does it at once.
private final class CountingQueue: CompletionQueue {
    private let count = Protected(0)

    var runs: Int { count.withLock { $0 } }

    func run(_ work: @escaping @Sendable () -> Void) {
        count.withLock { $0 += 1 }
        work()
    }
}

@Suite struct StepListenerTests {
    private let seat = TenantSeat(acme)

    @Test func aStepIsDecidedAtOnceAndSettledWhenItIsDurable() throws {
        let harness = try Harness()
        defer { harness.engine.stop() }
        _ = try harness.step(grant(id(1), 1_000))
        harness.journal.block()
        let listener = NotingListener()
        harness.engine.submit(reserve(id(2), 100), from: seat, for: listener)
        harness.journal.waitUntilBlocked()
        #expect(listener.heard == [.decided(replayed: false)])
        let again = NotingListener()
        harness.engine.submit(reserve(id(2), 100), from: seat, for: again)
        #expect(again.heard == [.decided(replayed: true)])
        harness.journal.unblock()
        #expect(eventually { again.heard.count == 2 })
        #expect(listener.heard == [.decided(replayed: false), .settled(isDone: true)])
        #expect(again.heard == [.decided(replayed: true), .settled(isDone: true)])
    }

    @Test func whatTheDiskDidNotTakeIsSettledAsNotDone() throws {
        let harness = try Harness()
        defer { harness.engine.stop() }
        _ = try harness.step(grant(id(1), 1_000))
        harness.journal.fail(.system(operation: "fdatasync", path: "journal", errno: 5))
        let listener = NotingListener()
        harness.engine.submit(reserve(id(2), 100), from: seat, for: listener)
        #expect(eventually { listener.heard.count == 2 })
        #expect(listener.heard == [.decided(replayed: false), .settled(isDone: false)])
        harness.journal.fail(nil)
        #expect(eventually { harness.begin(reserve(id(3), 1)).wait().map { (try? $0.get()) != nil } ?? false })
        #expect(try harness.totals().held == 1)
    }

    @Test func whoHasGoneBeforeItsBookWasThereHearsThatNothingWasDone() throws {
        let harness = try Harness { $0.workers = .byHand }
        defer { harness.engine.stop() }
        let listener = NotingListener(hasGone: true)
        harness.engine.submit(grant(id(1), 1_000), from: seat, for: listener)
        harness.settleByHand()
        #expect(listener.heard == [.settled(isDone: false)])
    }

    /// A seat names its tenant's book for as long as it is known, and finds the next one after that.
    @Test func aSeatOutlivesTheBookThatItNames() throws {
        let harness = try Harness {
            $0.limits.maxResidentTenants = 1
            $0.partitions = 1
        }
        defer { harness.engine.stop() }
        _ = try harness.step(grant(id(1), 1_000))
        for number in 2...20 {
            let listener = NotingListener()
            harness.engine.submit(reserve(id(number), 1), from: seat, for: listener)
            #expect(eventually { listener.heard.last == .settled(isDone: true) })
            // Another tenant takes the only place.
            _ = try harness.step(grant(id(100 + number), 1), tenant(1))
            #expect(eventually { harness.engine.pendingRecords == 0 })
        }
        #expect(try harness.totals().held == 19)
        try harness.verify()
    }

    @Test func thoseOfOneQueueAreToldTogether() throws {
        let harness = try Harness()
        defer { harness.engine.stop() }
        _ = try harness.step(grant(id(1), 1_000))
        harness.journal.block()
        _ = harness.begin(reserve(id(2), 1))
        harness.journal.waitUntilBlocked()
        let queues = [CountingQueue(), CountingQueue()]
        let listeners = (0..<20).map { NotingListener(queue: queues[$0 % 2]) }
        for (number, listener) in listeners.enumerated() {
            harness.engine.submit(reserve(id(10 + number), 1), from: seat, for: listener)
        }
        harness.journal.unblock()
        #expect(eventually { listeners.allSatisfy { $0.heard.last == .settled(isDone: true) } })
        #expect(queues.map(\.runs) == [1, 1])
    }
}

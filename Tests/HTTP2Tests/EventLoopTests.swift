import Locks
import Testing

@testable import HTTP2

/// What an event loop promises.
@Suite struct EventLoopTests {
    private func onNewLoop(_ body: (EventLoop) async throws -> Void) async throws {
        let loop = try EventLoop(name: "under-test")
        try loop.start()
        do {
            try await body(loop)
        } catch {
            loop.stop()
            loop.join()
            throw error
        }
        loop.stop()
        loop.join()
    }

    @Test("strangers have a part of the time while others want it, a little at once, and all of it otherwise")
    func strangersTime() {
        let second: Int64 = 1_000_000_000
        var time = TimeShare()
        #expect(time.spend(Limits.strangersBurstNs, nowNs: second, isWanted: true) == 0)
        #expect(time.spend(1_000, nowNs: second, isWanted: true) == 1_000 * Limits.strangersShare)

        // Who always wants more rests so long each time that it has its part, whatever it takes at once.
        for spentNs: Int64 in [10_000, 500_000, 40_000_000] {
            var nowNs = 10 * second
            var taken: Int64 = 0
            time = TimeShare()
            while nowNs < 20 * second {
                nowNs += spentNs
                taken += spentNs
                nowNs += time.spend(spentNs, nowNs: nowNs, isWanted: true)
            }
            let share = 10 * second / Limits.strangersShare
            #expect(taken <= share + Limits.strangersBurstNs + spentNs && taken > share / 2)
        }

        #expect(time.spend(second, nowNs: 30 * second, isWanted: false) == 0)
        #expect(time.spend(Limits.strangersBurstNs, nowNs: 30 * second, isWanted: true) == 0)
    }

    @Test("work of many threads runs on the loop, each thread's in its order")
    func inbox() async throws {
        try await onNewLoop { loop in
            let seen = Shared<[[Int]]>(Array(repeating: [], count: 8))
            await withTaskGroup(of: Void.self) { group in
                for thread in 0..<8 {
                    group.addTask {
                        for index in 0..<1_000 {
                            loop.execute {
                                precondition(loop.inLoop)
                                seen.value.withLock { $0[thread].append(index) }
                            }
                        }
                    }
                }
            }
            await withCheckedContinuation { done in loop.execute { done.resume() } }
            #expect(!loop.inLoop)
            #expect(seen.value.withLock { $0 } == Array(repeating: Array(0..<1_000), count: 8))
        }
    }

    @Test("who asks hears when a loop has something to do, and when it has done all of it")
    func activity() async throws {
        let busy = Shared<[Bool]>([])
        let loop = try EventLoop(name: "under-test")
        loop.activity = LoopActivity(
            began: { busy.value.withLock { $0.append(true) } }, paused: { busy.value.withLock { $0.append(false) } })
        try loop.start()
        for _ in 0..<100 {
            await withCheckedContinuation { done in
                loop.execute {
                    #expect(busy.value.withLock { $0.last } == true)
                    done.resume()
                }
            }
        }
        loop.stop()
        loop.join()
        let heard = busy.value.withLock { $0 }
        #expect(heard.count.isMultiple(of: 2) && heard.first == true)
        #expect(zip(heard, heard.dropFirst()).allSatisfy { $0 != $1 })
    }

    @Test("timers run in the order of their times and a cancelled one does not run")
    func timers() async throws {
        try await onNewLoop { loop in
            let order = Shared<[Int]>([])
            await withCheckedContinuation { done in
                loop.execute {
                    loop.schedule(after: 30_000_000) {
                        order.value.withLock { $0.append(3) }
                        done.resume()
                    }
                    loop.schedule(after: 10_000_000) { order.value.withLock { $0.append(1) } }
                    let never = loop.schedule(after: 20_000_000) { order.value.withLock { $0.append(2) } }
                    loop.cancel(never)
                    loop.schedule(after: -5) { order.value.withLock { $0.append(0) } }
                }
            }
            #expect(order.value.withLock { $0 } == [0, 1, 3])
        }
    }

    @Test("a waiting loop is woken by work from outside, each time")
    func wakes() async throws {
        try await onNewLoop { loop in
            for _ in 0..<100 {
                await withCheckedContinuation { done in loop.execute { done.resume() } }
            }
        }
    }

    @Test("what was handed over before the stop is done, what comes after is dropped")
    func stops() async throws {
        let loop = try EventLoop(name: "under-test")
        let done = Shared<[Int]>([])
        loop.execute { done.value.withLock { $0.append(1) } }
        loop.stop()
        try loop.start()
        loop.join()
        loop.execute { done.value.withLock { $0.append(2) } }
        #expect(done.value.withLock { $0 } == [1])
    }
}

/// A value that closures of several threads change.
final class Shared<Value: Sendable>: Sendable {
    let value: Protected<Value>

    init(_ value: Value) { self.value = Protected(value) }
}

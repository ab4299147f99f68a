import Testing

@testable import RPC

@Suite(.timeLimit(.minutes(1))) struct HealthStatusTests {
    @Test func theWholeServerServesUntilItIsToldOtherwise() {
        let health = HealthStatus()
        #expect(health.status()?.isServing == true)
        #expect(health.status(of: "a.B") == nil)
        health.set("a.B", serving: false, reason: "disk full")
        #expect(health.status(of: "a.B") == HealthStatus.Status(isServing: false, reason: "disk full"))
        health.set("a.B", serving: true, reason: "dropped")
        #expect(health.status(of: "a.B") == HealthStatus.Status(isServing: true, reason: ""))
    }

    @Test func afterADrainNothingServesAgain() {
        let health = HealthStatus()
        health.set("a.B", serving: true)
        health.drain()
        health.set("a.B", serving: true)
        health.set("", serving: true)
        #expect(health.services.map(\.status.isServing) == [false, false])
    }

    @Test func aWatcherSeesTheStatusNowAndEachChange() async throws {
        let health = HealthStatus()
        let watch = try #require(health.watch("a.B"))
        var updates = watch.updates.makeAsyncIterator()
        #expect(await updates.next() == .some(nil))
        health.set("a.B", serving: true)
        #expect(await updates.next()??.isServing == true)
        health.set("a.B", serving: true)
        health.set("other", serving: false)
        health.set("a.B", serving: false, reason: "why")
        #expect(await updates.next()??.reason == "why")
        watch.end()
        #expect(await updates.next() == nil)
    }

    @Test func thereIsABoundOnWatchersAndAnEndedOneMakesRoom() throws {
        let health = HealthStatus()
        var watches = try (0..<Limits.healthWatchers).map { _ in try #require(health.watch("")) }
        #expect(health.watch("") == nil)
        watches.removeLast().end()
        #expect(health.watch("") != nil)
    }
}

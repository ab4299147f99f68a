import Protobuf
import Testing

@testable import RPC

@Suite struct OverloadWindowTests {
    private func window(refusing count: Int, taking taken: Int = 1, _ window: inout OverloadWindow) -> Bool {
        for _ in 0..<count { window.countRefused() }
        for _ in 0..<taken { window.countTaken() }
        return window.end(nsPerWork: 1_000, capacityWork: 160, saturating: nil)
    }

    @Test func manyRefusalsHalveTheStreamsDownToABoundAndCalmBringsThemBack() {
        var limits = OverloadLimits()
        // A thousand units of work in a span.
        limits.windowNs = 1_000_000
        limits.refusalPercent = 10
        limits.leastStreams = 64
        var one = OverloadWindow(limits, mostStreams: 1_000)
        var streams: [UInt32] = []
        for _ in 0..<6 {
            #expect(window(refusing: 101, &one))
            streams.append(one.streams)
        }
        #expect(streams == [500, 250, 125, 64, 64, 64])
        #expect(window(refusing: 100, &one) && one.streams == 64, "so many are borne")
        var windows = 0
        while window(refusing: 0, taking: 0, &one) { windows += 1 }
        #expect(one.streams == 1_000 && (20...100).contains(windows))
    }

    @Test func aLineThatIsNeverShortHalvesTheStreamsToo() {
        var one = OverloadWindow(OverloadLimits(), mostStreams: 1_000)
        // At times it is short: that is what a line is for.
        for work in [160, 40, 160] { one.noteWaiting(work) }
        #expect(window(refusing: 0, &one) && one.streams == 1_000)
        for work in [160, 41, 160] { one.noteWaiting(work) }
        #expect(window(refusing: 0, &one) && one.streams == 500)
        // While some always wait they do not come back.
        one.noteWaiting(11)
        #expect(window(refusing: 0, &one) && one.streams == 500)
        one.noteWaiting(10)
        #expect(window(refusing: 0, &one) && one.streams == 531)
    }

    @Test func aLoopThatNeverPausesHasNoMoreOpenThanKeepItBusy() {
        var one = OverloadWindow(OverloadLimits(), mostStreams: 1_000)
        func end(taking taken: Int, saturating connections: Int?) -> UInt32 {
            for _ in 0..<taken { one.countTaken() }
            let goesOn = one.end(nsPerWork: 1_000, capacityWork: 160, saturating: connections)
            #expect(goesOn)
            return one.streams
        }
        // 15 % of the calls of a span, over all connections; by half at a time.
        #expect(end(taking: 10_000, saturating: 8) == 500)
        #expect(end(taking: 10_000, saturating: 8) == 250)
        #expect(end(taking: 10_000, saturating: 8) == 187)
        #expect(end(taking: 10_000, saturating: 8) == 187)
        #expect(end(taking: 10_000, saturating: 4) == 198, "they come back slowly")
        for _ in 0..<10 { _ = end(taking: 1_000, saturating: 1_000) }
        #expect(one.streams == OverloadLimits().leastStreams)
        for _ in 0..<100 { _ = end(taking: 10_000, saturating: nil) }
        #expect(one.streams == 1_000, "a loop that pauses has room")
    }

    @Test func aBoundBelowTheLeastStaysAsItIs() {
        var one = OverloadWindow(OverloadLimits(), mostStreams: 3)
        #expect(window(refusing: 1_000_000, &one) && one.streams == 3)
    }

    @Test(arguments: [(0, 1, 0), (1, 1, 1), (99, 100, 0), (300, 100, 2), (1_000_000, 1, OverloadAnswers.levels - 1)])
    func theMoreAreRefusedTheLongerTheyAreToldToWait(refused: Int, taken: Int, level: Int) {
        var one = OverloadWindow(OverloadLimits(), mostStreams: 1_000)
        _ = window(refusing: refused, taking: taken, &one)
        #expect(one.level == level)
    }

    @Test func thoseWhoAreRefusedTogetherAreToldDifferentTimes() throws {
        let info = ErrorInfo.with { $0.reason = "OVERLOADED" }
        let answers = OverloadAnswers.with([ProtoAny(packing: info)])
        for level in 0..<OverloadAnswers.levels {
            let errors = (0..<16).map { answers.error(level: level, turn: $0) }
            let delays = try errors.map { try #require($0.retryInfo?.retryDelay?.duration) }
            #expect(Set(delays).count == 8)
            let middle = Duration.milliseconds(Limits.retryAfterMs << level)
            #expect(delays.allSatisfy { middle / 2 <= $0 && $0 <= middle * 3 / 2 })
            #expect(errors.allSatisfy { $0.code == .unavailable && $0.errorInfo?.reason == "OVERLOADED" })
        }
    }
}

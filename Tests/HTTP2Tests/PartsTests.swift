import SeededRandom
import Testing

@testable import HTTP2

/// The parts that do no I/O.
@Suite struct PartsTests {
    @Test(
        "timers come out in the order of their times, and cancelled ones not at all", arguments: [1, 2, 3] as [UInt64])
    func timerHeap(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        final class Due: TimerTarget {
            let id: Int
            let ns: Int64
            init(id: Int, ns: Int64) { (self.id, self.ns) = (id, ns) }
            func timeIsUp() {}
        }
        var heap = TimerHeap()
        var left: [Int: (token: TimerToken, ns: Int64)] = [:]
        var gone: [TimerToken] = []
        weak var cancelled: Due?
        for id in 0..<4_000 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0..<4:
                let due = Due(id: id, ns: Int64.random(in: 0..<1_000, using: &random))
                left[id] = (heap.insert(due, dueNs: due.ns), due.ns)
                cancelled = due
            case 4, 5:
                guard let id = left.keys.sorted().randomElement(using: &random), let timer = left[id] else { continue }
                left[id] = nil
                heap.remove(timer.token)
                gone.append(timer.token)
            case 6:
                // A name that is nobody's any more cancels nothing, though its slot may be another's.
                if let token = gone.randomElement(using: &random) { heap.remove(token) }
            default:
                let nowNs = Int64.random(in: 0..<1_000, using: &random)
                while let due = heap.popDue(nowNs: nowNs) as? Due {
                    #expect(due.ns <= nowNs && due.ns == left.values.map(\.ns).min(), "seed \(seed)")
                    #expect(left.removeValue(forKey: due.id) != nil, "seed \(seed)")
                }
            }
            #expect(heap.count == left.count && heap.nextDueNs == left.values.map(\.ns).min(), "seed \(seed)")
        }
        for timer in left.values { heap.remove(timer.token) }
        #expect(heap.count == 0 && heap.popDue(nowNs: .max) == nil)
        #expect(cancelled == nil, "a timer that is over keeps nothing alive")
    }

    @Test("an output queue gives back what was put in, in any pieces", arguments: [4, 5, 6] as [UInt64])
    func outputQueue(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var queue = OutputQueue()
        var expected: [UInt8] = []
        var got: [UInt8] = []
        for _ in 0..<2_000 {
            if Int.random(in: 0..<10, using: &random) < 6 {
                let count = Int.random(in: 0..<40_000, using: &random) >> Int.random(in: 0..<16, using: &random)
                let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                queue.append(bytes)
                expected += bytes
            } else {
                var buffer = [UInt8](repeating: 0, count: Int.random(in: 1..<20_000, using: &random))
                let count = buffer.withUnsafeMutableBytes { queue.read(into: $0) }
                got += buffer[..<count]
            }
            #expect(queue.byteCount == expected.count - got.count)
        }
        var rest = [UInt8](repeating: 0, count: queue.byteCount + 1)
        let count = rest.withUnsafeMutableBytes { queue.read(into: $0) }
        got += rest[..<count]
        #expect(got == expected, "seed \(seed)")
    }

    @Test("a bucket gives its burst, then its rate, and no more than its burst after a rest")
    func tokenBucket() {
        var bucket = TokenBucket(burst: 3, perSecond: 10, nowNs: 0)
        #expect(take(4, from: &bucket, nowNs: 0) == [true, true, true, false])
        #expect(take(1, from: &bucket, nowNs: 99_999_999) == [false])
        #expect(take(2, from: &bucket, nowNs: 100_000_000) == [true, false])
        #expect(take(4, from: &bucket, nowNs: 60_000_000_000) == [true, true, true, false])
    }

    private func take(_ count: Int, from bucket: inout TokenBucket, nowNs: Int64) -> [Bool] {
        var taken: [Bool] = []
        for _ in 0..<count { taken.append(bucket.take(nowNs: nowNs)) }
        return taken
    }

    @Test("the third ping too early is one too many, and sending a call's frame forgives")
    func pingStrikes() {
        var keepalive = HTTP2Configuration.Keepalive()
        keepalive.peerPingIntervalMinNs = 100
        keepalive.peerPingIntervalIdleMinNs = 1_000
        var strikes = PingStrikes(keepalive)
        let early: [Int64] = [0, 1, 2, 3]
        #expect(ping(&strikes, at: early, hasStreams: true) == [true, true, true, false])
        strikes.callFrameSent()
        #expect(ping(&strikes, at: early, hasStreams: true) == [true, true, true, false])
        strikes = PingStrikes(keepalive)
        #expect(ping(&strikes, at: [0, 100, 200, 300, 400], hasStreams: true) == [true, true, true, true, true])
        #expect(ping(&strikes, at: [500, 600, 700], hasStreams: false) == [true, true, false])
    }

    private func ping(_ strikes: inout PingStrikes, at times: [Int64], hasStreams: Bool) -> [Bool] {
        var judged: [Bool] = []
        for nowNs in times { judged.append(strikes.pingReceived(nowNs: nowNs, hasStreams: hasStreams)) }
        return judged
    }

    @Test("headers keep their order, find the first of a name and count their size as the RFC does")
    func headers() {
        var headers = HTTP2Headers()
        headers.add(":status", "200")
        headers.add(name: "x", value: "1")
        headers.add(name: "x", value: "")
        headers.add(name: "xy", value: "ü")
        #expect(headers.count == 4)
        #expect(headers.listSizeBytes == 7 + 3 + 1 + 1 + 1 + 2 + 2 + 4 * 32)
        #expect(headers.pairs.map(\.name) == [":status", "x", "x", "xy"])
        #expect(headers.pairs.map(\.value) == ["200", "1", "", "ü"])
        #expect(headers.value(of: "x") == "1")
        #expect(headers.hasValue("200", of: ":status"))
        #expect(!headers.hasValue("20", of: ":status"))
        #expect(headers.value(of: "y") == nil)
    }
}

/// What the time asks of a connection.
@Suite struct ConnectionClockTests {
    private func clock(_ configure: (inout HTTP2Configuration) -> Void) -> ConnectionClock {
        var configuration = HTTP2Configuration()
        configuration.handshakeTimeoutNs = 10
        configuration.keepalive.pingAfterNs = nil
        configure(&configuration)
        return ConnectionClock(configuration, nowNs: 0, jitter: 0)
    }

    private func due(_ clock: inout ConnectionClock, _ nowNs: Int64) -> ConnectionClock.Action {
        clock.due(nowNs: nowNs)
    }

    @Test("without SETTINGS in time the connection closes")
    func handshake() {
        var clock = clock { _ in }
        #expect(clock.nextNs == 10)
        #expect(due(&clock, 9) == .nothing)
        #expect(due(&clock, 10) == .closeHandshakeTimeout)
        clock.handshakeDueNs = nil
        #expect(clock.nextNs == nil)
        clock.headerBlock(isOpen: true, nowNs: 20)
        #expect(due(&clock, 30) == .closeHeaderBlockTimeout)
    }

    @Test("silence is answered with a ping, and silence after it with the end")
    func pings() {
        var clock = clock {
            $0.keepalive.pingAfterNs = 100
            $0.keepalive.pingTimeoutNs = 20
        }
        clock.handshakeDueNs = nil
        clock.bytesRead(nowNs: 50)
        #expect(due(&clock, 149) == .nothing)
        #expect(due(&clock, 150) == .sendPing)
        #expect(clock.nextNs == 170)
        #expect(due(&clock, 160) == .nothing)
        #expect(due(&clock, 170) == .closePingTimeout)
        clock.bytesRead(nowNs: 165)
        #expect(due(&clock, 170) == .nothing)
        #expect(clock.nextNs == 265)
    }

    @Test("an idle connection is drained, one with streams is not, and a draining one only once")
    func idle() {
        var clock = clock { $0.keepalive.idleTimeoutNs = 100 }
        clock.handshakeDueNs = nil
        clock.streamsChanged(count: 1, nowNs: 10)
        #expect(clock.nextNs == nil)
        clock.streamsChanged(count: 0, nowNs: 50)
        #expect(clock.nextNs == 150)
        #expect(due(&clock, 150) == .drainIdle)
        clock.drainBegan(nowNs: 150, graceNs: nil)
        #expect(due(&clock, 151) == .nothing)
    }

    @Test("age has its jitter and its grace")
    func age() {
        var configuration = HTTP2Configuration()
        configuration.keepalive.ageMaxNs = 1_000
        configuration.keepalive.pingAfterNs = nil
        for (jitter, dueNs) in [(-1.0, 900), (0, 1_000), (1, 1_100)] as [(Double, Int64)] {
            var clock = ConnectionClock(configuration, nowNs: 0, jitter: jitter)
            clock.handshakeDueNs = nil
            #expect(clock.nextNs == dueNs)
            #expect(due(&clock, dueNs) == .drainAge)
            clock.drainBegan(nowNs: dueNs, graceNs: 50)
            #expect(due(&clock, dueNs + 49) == .nothing)
            #expect(due(&clock, dueNs + 50) == .closeGraceOver)
        }
    }

    @Test("a socket that takes nothing, or a trickle, is given up, one that takes enough is not")
    func stall() {
        var clock = clock { $0.writeStallTimeoutNs = 100 }
        clock.handshakeDueNs = nil
        clock.writeStalled(nowNs: 10)
        clock.written(100, all: false)
        clock.writeStalled(nowNs: 90)
        #expect(clock.nextNs == 110)
        clock.written(16 * 1024, all: false)
        clock.writeStalled(nowNs: 95)
        clock.written(1, all: true)
        clock.writeStalled(nowNs: 100)
        #expect(due(&clock, 110) == .nothing)
        #expect(due(&clock, 200) == .closeWriteStall)
    }
}

@Suite struct InputAgeTests {
    /// What is left behind by a read has surely waited since, up to its last byte and no further.
    @Test func whatWasLeftBehindIsKnownToHaveWaited() {
        var age = InputAge()
        #expect(age.room(atMost: 100) == 100)
        // A read that empties the socket says nothing of what comes next.
        #expect(!age.read(40, room: 100, nowNs: 1) { 0 })
        #expect(age.arrivedByNs == nil)
        // One that does not: 150 more bytes are there at 2.
        #expect(age.read(100, room: 100, nowNs: 2) { 150 })
        #expect(age.arrivedByNs == nil)
        #expect(age.read(100, room: age.room(atMost: 100), nowNs: 3) { 999 })
        #expect(age.arrivedByNs == 2)
        // The read ends with what was there then, not beyond it.
        #expect(age.room(atMost: 100) == 50)
        #expect(age.read(50, room: 50, nowNs: 4) { 70 })
        #expect(age.arrivedByNs == 2)
        #expect(age.room(atMost: 100) == 70)
        #expect(age.read(70, room: 70, nowNs: 5) { 0 })
        #expect(age.arrivedByNs == 4)
        #expect(age.room(atMost: 100) == 100)
        #expect(!age.read(10, room: 100, nowNs: 6) { 0 })
        #expect(age.arrivedByNs == nil)
    }
}

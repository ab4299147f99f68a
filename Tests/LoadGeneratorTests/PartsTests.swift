import SeededRandom
import Testing

@testable import LoadGenerator

/// The parts that do no I/O.
@Suite struct PartsTests {
    @Test("ids are UUIDs of version 7 whose time is that of the clock, each another one")
    func ids() {
        var ids = StepIDs(seed: 7)
        let text = UnsafeMutableRawPointer.allocate(byteCount: StepIDs.textByteCount, alignment: 1)
        defer { text.deallocate() }
        var seen: Set<String> = []
        let beforeMs = UInt64(realtimeNs()) / 1_000_000
        for _ in 0..<1_000 {
            let id = ids.next(nowNs: monotonicNs())
            id.write(to: text)
            let bytes = UnsafeRawBufferPointer(start: text, count: StepIDs.textByteCount)
            let written = String(decoding: bytes, as: UTF8.self)
            let digits = written.replacing("-", with: "")
            #expect(written.count == 36 && digits.count == 32)
            #expect(UInt64(digits.prefix(16), radix: 16) == id.high && UInt64(digits.suffix(16), radix: 16) == id.low)
            #expect(id.high >> 12 & 0xF == 7 && id.low >> 62 == 2)
            // The two clocks may be read a moment apart.
            #expect(id.high >> 16 + 1 >= beforeMs && id.high >> 16 <= UInt64(realtimeNs()) / 1_000_000 + 1)
            #expect(id.isText(bytes))
            seen.insert(written)
            text.storeBytes(of: UInt8(ascii: "-"), toByteOffset: 35, as: UInt8.self)
            #expect(!id.isText(bytes))
            #expect(!id.isText(UnsafeRawBufferPointer(rebasing: bytes.dropLast())))
        }
        #expect(seen.count == 1_000)
    }

    @Test("bytes that grow and shrink stay what they were", arguments: [1, 2, 3] as [UInt64])
    func byteBuffer(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var buffer = ByteBuffer(capacity: 4)
        defer { buffer.deallocate() }
        var expected: [UInt8] = []
        for _ in 0..<500 {
            let more = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
            }
            more.withUnsafeBytes { buffer.append($0) }
            expected += more
            let gone = Int.random(in: 0...min(30, expected.count), using: &random)
            buffer.removeFirst(gone)
            expected.removeFirst(gone)
            #expect(Array(buffer.bytes) == expected, "seed \(seed)")
        }
    }

    @Test("tenants take even turns, and their names sort as their numbers do")
    func tenants() {
        var turns = TenantTurns(count: 3)
        #expect((0..<7).map { _ in turns.next() } == [0, 1, 2, 0, 1, 2, 0])
        let names = [0, 1, 9, 10, 99_999, 999_999].map(BenchTenants.name)
        #expect(names.first == "bench-000000" && names.last == "bench-999999")
        #expect(names == names.sorted())
        #expect(names.allSatisfy { $0.utf8.count == BenchTenants.nameByteCount })
    }

    @Test("a pace begins calls evenly; a call that comes late counts from when it was due")
    func pace() {
        let script = EchoScript(lanes: 3, tenants: 1)
        let carrier = IdleCarrier(script)
        let lanes = LaneBlock(first: 0, count: 3, carrier: carrier)
        defer { lanes.deallocate() }
        let tick = Limits.paceTickNs
        // Two calls a tick.
        var pace = Pace(callsPerSecond: 2e9 / Double(tick), startNs: 1_000)
        for index in 0..<3 { pace.wait(lanes[index]) }
        #expect(pace.next(nowNs: 1_000) == nil)
        #expect(pace.next(nowNs: 1_000 + tick)?.dueNs == 1_000 + tick)
        #expect(pace.next(nowNs: 1_000 + tick)?.dueNs == 1_000 + tick)
        #expect(pace.next(nowNs: 1_000 + tick) == nil)
        #expect(pace.nextDueNs == 1_000 + 2 * tick)
        // All lanes are busy for five ticks, then two are free.
        #expect(pace.next(nowNs: 1_000 + 5 * tick)?.dueNs == 1_000 + 2 * tick)
        #expect(!pace.hasIdleLanes && pace.next(nowNs: 1_000 + 5 * tick) == nil)
        pace.wait(lanes[0])
        pace.wait(lanes[1])
        let late = pace.next(nowNs: 1_000 + 5 * tick)
        #expect(late?.dueNs == 1_000 + 2 * tick && late?.lane == lanes[1])
        // What is due since more than three ticks nobody waits for any more; later ones are begun as ever.
        #expect(pace.giveUp(after: 3 * tick, nowNs: 1_000 + 10 * tick) == 10)
        #expect(pace.giveUp(after: 3 * tick, nowNs: 1_000 + 10 * tick) == 0)
        #expect(pace.nextDueNs == 1_000 + 8 * tick)
        #expect(pace.takeAll() == [lanes[0]])
        #expect(!pace.hasIdleLanes)
    }
}

@Suite struct PaceTurnTests {
    @Test("a connection begins calls once a period, unless others have no lane left")
    func connectionsTakeTurns() throws {
        let script = EchoScript(lanes: 40, tenants: 1)
        let carriers = (0..<10).map { _ in IdleCarrier(script) }
        let blocks = carriers.enumerated().map { LaneBlock(first: $0 * 4, count: 4, carrier: $1) }
        defer { for block in blocks { block.deallocate() } }
        let tick = Limits.paceTickNs
        let ticks = Int64(Limits.pacePeriodNs / tick)
        // Four calls a tick, of ten connections two each time.
        var pace = Pace(callsPerSecond: 4e9 / Double(tick), startNs: 0)
        for block in blocks { for index in 0..<4 { pace.wait(block[index]) } }
        var begun: [[Int]] = []
        for number in 1...ticks {
            var counts = Array(repeating: 0, count: carriers.count)
            while let (lane, _) = pace.next(nowNs: number * tick) {
                counts[try #require(carriers.firstIndex { $0 === lane.pointee.carrier })] += 1
            }
            begun.append(counts)
        }
        #expect(begun.allSatisfy { $0.filter { $0 == 2 }.count == 2 && $0.reduce(0, +) == 4 })
        let ofEach = (0..<carriers.count).map { place in begun.reduce(0) { $0 + $1[place] } }
        #expect(ofEach.allSatisfy { $0 == 2 })
        // The next two have two lanes left each; what else is due goes over the others.
        for _ in 0..<20 { #expect(pace.next(nowNs: 100 * ticks * tick) != nil) }
        #expect(!pace.hasIdleLanes)
    }
}

/// Carries nothing.
private final class IdleCarrier: LaneCarrier {
    private let script: any CallScript
    var connection: Connection!
    var isFinished: Bool { true }

    init(_ script: any CallScript) { self.script = script }

    func begin(_ lane: LanePointer, nowNs: Int64) {}
    func owes(_ lane: LanePointer) -> Bool { script.owes(lane) }
    func forEachLane(_ body: (LanePointer) -> Void) {}
    func finish() {}
    func headerReceived(stream: Int32, _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {}
    func dataReceived(stream: Int32, _ bytes: UnsafeRawBufferPointer) {}
    func serverEnded(stream: Int32) {}
    func streamClosed(_ stream: Int32, errorCode: UInt32) {}
    func connectionLost(_ reason: String) {}
}

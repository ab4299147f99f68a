import SeededRandom
import Testing

@testable import Storage

@Suite struct RecordRunTests {
    private func run(_ records: [(UInt64, [UInt8])]) -> RecordRun {
        var run = RecordRun()
        for (position, bytes) in records { bytes.readable { _ = run.append($0, at: position) } }
        return run
    }

    private func records(_ run: RecordRun) -> [UInt64: [UInt8]] {
        var records: [UInt64: [UInt8]] = [:]
        run.forEach { records[$0] = Array($1) }
        return records
    }

    @Test(arguments: propertySeeds(0..<8))
    func aRunThatIsSplitAndPutTogetherIsTheRunThatItWas(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var position: UInt64 = 0
        let made = (0..<Int.random(in: 0...40, using: &random)).map { _ -> (UInt64, [UInt8]) in
            position += .random(in: 1...5, using: &random)
            return (position, (0..<Int.random(in: 0...300, using: &random)).map { UInt8(truncatingIfNeeded: $0) })
        }
        let whole = run(made)
        for _ in 0..<20 {
            let cut = UInt64.random(in: 0...position + 2, using: &random)
            let maxCount = Int.random(in: 0...50, using: &random)
            var front = whole
            let back = front.split(through: cut, maxCount: maxCount)
            let expected = made.prefix(maxCount).prefix { $0.0 <= cut }
            #expect(records(front).keys.sorted() == expected.map(\.0), "TOLLGATE_SEED=\(seed)")
            #expect(front.count == expected.count && back.count == made.count - expected.count)
            #expect(front.isEmpty || front.firstPosition == made[0].0 && front.lastPosition == expected.last!.0)
            #expect(back.isEmpty || back.firstPosition == made[expected.count].0 && back.lastPosition == position)
            front.append(contentsOf: back)
            #expect(records(front) == Dictionary(uniqueKeysWithValues: made))
            #expect(front.firstPosition == whole.firstPosition && front.lastPosition == whole.lastPosition)
            #expect(front.byteCount == whole.byteCount)
        }
    }
}

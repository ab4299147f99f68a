import Testing

@testable import TollgateClient

@Suite struct UUIDv7Tests {
    @Test func everyIDIsGreaterThanTheOneBefore() {
        var last = ""
        for _ in 0..<10_000 {
            let id = UUIDv7.make()
            #expect(id > last)
            last = id
        }
    }

    @Test func idsHaveTheFormOfVersion7() throws {
        let id = UUIDv7.make()
        #expect(id.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/) != nil)
    }

    @Test func theTimeStandsInFront() {
        var generator = UUIDv7.Generator()
        var random = SystemRandomNumberGenerator()
        let id = generator.next(atMs: 0x0199_F0C2_5D4E, using: &random)
        #expect(UUIDv7.text(of: id).hasPrefix("0199f0c2-5d4e-7"))
    }

    @Test func theOrderHoldsWhereTheClockStandsStillOrGoesBack() {
        var generator = UUIDv7.Generator()
        var random = AllOnes()
        var last: (high: UInt64, low: UInt64) = (0, 0)
        // All random bits set: each step carries out of the tail, and the counter runs over into the time.
        for step in 0..<10_000 {
            let id = generator.next(atMs: step.isMultiple(of: 3) ? 1_000 : 999, using: &random)
            #expect((id.high, id.low) > last)
            #expect(id.high >> 12 & 0xF == 7)
            #expect(id.low >> 62 == 2)
            last = id
        }
    }

    @Test func idsOfManyThreadsAreAllDifferent() async {
        let ids = await withTaskGroup(of: [String].self) { group in
            for _ in 0..<8 {
                group.addTask { (0..<1_000).map { _ in UUIDv7.make() } }
            }
            return await group.reduce(into: Set<String>()) { $0.formUnion($1) }
        }
        #expect(ids.count == 8_000)
    }

    private struct AllOnes: RandomNumberGenerator {
        mutating func next() -> UInt64 { .max }
    }
}

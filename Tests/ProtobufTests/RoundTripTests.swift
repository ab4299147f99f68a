import Protobuf
import SeededRandom
import Testing

/// Whatever is written is read back, and whatever is read is either a message or an error.
struct RoundTripTests {
    @Test func everyMessageComesBackAsItWas() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for round in 0..<300 {
            let message = random.allTypes()
            let bytes = message.wireBytes()
            let again = try AllTypes(wireBytes: bytes)
            #expect(again == message, "seed \(seed), round \(round)")
            #expect(again.wireBytes() == bytes, "seed \(seed), round \(round)")
            #expect(again.unknownFields.isEmpty, "seed \(seed), round \(round)")
        }
    }

    @Test func anOlderSchemaPassesOnWhatItDoesNotKnow() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for round in 0..<200 {
            let message = random.allTypes()
            let older = try OlderTypes(wireBytes: message.wireBytes())
            #expect(older.int64Value == message.int64Value, "seed \(seed), round \(round)")
            #expect(try AllTypes(wireBytes: older.wireBytes()) == message, "seed \(seed), round \(round)")
        }
    }

    @Test func messagesBehindEachOtherMerge() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for round in 0..<100 {
            let first = random.allTypes()
            let second = random.allTypes()
            let merged = try AllTypes(wireBytes: first.wireBytes() + second.wireBytes())
            #expect(merged.strings == first.strings + second.strings, "seed \(seed), round \(round)")
            #expect(merged.sint64s == first.sint64s + second.sint64s, "seed \(seed), round \(round)")
            #expect(merged.maybeString == second.maybeString ?? first.maybeString, "seed \(seed), round \(round)")
            let tags = (first.inner?.tag ?? []) + (second.inner?.tag ?? [])
            #expect((merged.inner?.tag ?? []) == tags, "seed \(seed), round \(round)")
            #expect(
                merged.counts == first.counts.merging(second.counts) { $1 }, "seed \(seed), round \(round)")
        }
    }

    @Test func everyPrefixIsAMessageOrAnError() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for round in 0..<20 {
            let bytes = random.allTypes(depth: 1).wireBytes()
            for end in 0..<bytes.count {
                if let message = try? AllTypes(wireBytes: Array(bytes[..<end])) {
                    #expect(message.wireBytes().count <= end * 3 + 64, "seed \(seed), round \(round), end \(end)")
                }
            }
        }
    }

    @Test func whatSurvivesFlippedBitsIsStable() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        var readable = 0
        for round in 0..<3000 {
            var bytes = random.allTypes(depth: 1).wireBytes()
            guard !bytes.isEmpty else { continue }
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
            guard let message = try? AllTypes(wireBytes: bytes) else { continue }
            readable += 1
            // Compared as bytes, since a flipped bit may have made a NaN, which does not equal itself.
            let once = message.wireBytes()
            #expect(try AllTypes(wireBytes: once).wireBytes() == once, "seed \(seed), round \(round)")
            _ = message.jsonString()
        }
        #expect(readable > 0, "seed \(seed)")
    }

    @Test func noiseIsAMessageOrAnError() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        for _ in 0..<20_000 {
            let bytes = random.bytes(maxCount: 40)
            _ = try? AllTypes(wireBytes: bytes)
            _ = try? FileDescriptorProto(wireBytes: bytes)
        }
    }
}

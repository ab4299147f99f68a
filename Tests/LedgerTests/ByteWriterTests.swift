import SeededRandom
import Testing

@testable import Ledger

/// Whatever is written, and however little room is left for it, the array has all of it in order.
@Suite struct ByteWriterTests {
    private enum Part {
        case byte(UInt8)
        case varint(UInt64)
        case fixed(UInt64)
        case id(StepID)
        case text(String)

        func write(to bytes: inout ByteWriter) {
            switch self {
            case .byte(let byte): bytes.append(byte)
            case .varint(let value): bytes.appendVarint(value)
            case .fixed(let value): bytes.appendFixed(value)
            case .id(let id): bytes.append(id)
            case .text(let text): bytes.append(text)
            }
        }

        /// The same byte by byte.
        var bytes: [UInt8] {
            switch self {
            case .byte(let byte): [byte]
            case .varint(let value): Self.varint(value)
            case .fixed(let value): (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
            case .id(let id):
                [id.high, id.low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * $0)) } }
            case .text(let text): Self.varint(UInt64(text.utf8.count)) + Array(text.utf8)
            }
        }

        private static func varint(_ value: UInt64) -> [UInt8] {
            value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
        }

        static func any(_ random: inout SeededRandom) -> Part {
            switch Int.random(in: 0..<8, using: &random) {
            case 0: .byte(.random(in: 0...255, using: &random))
            case 1, 2: .varint(random.next() >> UInt64.random(in: 0...63, using: &random))
            case 3: .fixed(random.next())
            case 4: .id(StepID(high: random.next(), low: random.next()))
            case 5: .text(text(Int.random(in: 0...2 * Limits.writerRoomBytes, using: &random)))
            case 6: .text(text(Limits.writerRoomBytes + Int.random(in: -2...2, using: &random)))
            default: .text(text(Int.random(in: 0...20, using: &random)))
            }
        }

        private static func text(_ count: Int) -> String {
            String(String(repeating: "abcdefgh", count: count / 8 + 1).prefix(count))
        }
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `what is written stands in the array`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let parts = (0..<Int.random(in: 0...40, using: &random)).map { _ in Part.any(&random) }
        var bytes: [UInt8] = [1, 2, 3]
        ByteWriter.append(to: &bytes) { bytes in
            for part in parts { part.write(to: &bytes) }
        }
        #expect(bytes == [1, 2, 3] + parts.flatMap(\.bytes), "TOLLGATE_SEED=\(seed)")
    }

    /// Numbers alone meet the end of the room at every distance from it.
    @Test(arguments: 0..<12)
    func `a number that does not fit the room goes on after it`(start: Int) {
        let parts = [Part](repeating: .byte(7), count: start) + [Part](repeating: .varint(.max), count: 300)
        var bytes: [UInt8] = []
        ByteWriter.append(to: &bytes) { bytes in
            for part in parts { part.write(to: &bytes) }
        }
        #expect(bytes == parts.flatMap(\.bytes))
    }

    @Test func `every name of a unit is found by its number, and nothing that is like one`() {
        var number: UInt64 = 0
        while let name = UnitNames.name(of: number) {
            let found = { (text: String) in Array(text.utf8).withUnsafeBufferPointer(UnitNames.number(of:)) }
            #expect(found(name) == Int(number))
            for position in name.utf8.indices {
                var bytes = Array(name.utf8)
                bytes[name.utf8.distance(from: name.startIndex, to: position)] = UInt8(ascii: "#")
                #expect(found(String(decoding: bytes, as: UTF8.self)) == nil)
            }
            #expect(found(name + "#") == nil)
            number += 1
        }
        #expect(number == 52)
    }
}

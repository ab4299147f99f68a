/// The id that a caller gives a step: a UUID (RFC 9562), kept as its 128 bits.
package struct StepID: Hashable, Comparable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static let zero = StepID(high: 0, low: 0)

    package static func < (a: StepID, b: StepID) -> Bool {
        (a.high, a.low) < (b.high, b.low)
    }

    /// A time-ordered UUID (version 7): ids of this kind arrive nearly sorted, which is what lets a book tell a new id without a look-up.
    package var isTimeOrdered: Bool {
        high & 0xF000 == 0x7000
    }
}

extension StepID: CustomStringConvertible {
    private static let hyphensBefore: Set<Int> = [8, 12, 16, 20]

    /// Reads `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, either case; nil for anything else.
    package init?(_ text: some StringProtocol) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var digits = 0
        var position = 0
        for byte in text.utf8 {
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
            } else {
                let value: UInt8
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0")
                case UInt8(ascii: "a")...UInt8(ascii: "f"): value = byte - UInt8(ascii: "a") + 10
                case UInt8(ascii: "A")...UInt8(ascii: "F"): value = byte - UInt8(ascii: "A") + 10
                default: return nil
                }
                if digits < 16 {
                    high = high << 4 | UInt64(value)
                } else {
                    low = low << 4 | UInt64(value)
                }
                digits += 1
            }
            position += 1
            if position > 36 { return nil }
        }
        guard position == 36 else { return nil }
        self.init(high: high, low: low)
    }

    /// The canonical lower-case text.
    package var description: String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for digit in 0..<32 {
                if Self.hyphensBefore.contains(digit) {
                    buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let word = digit < 16 ? high : low
                let nibble = UInt8(truncatingIfNeeded: word >> UInt64((15 - digit % 16) * 4)) & 0xF
                buffer[position] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
                position += 1
            }
            return 36
        }
    }
}

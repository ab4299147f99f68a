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
    private static let textByteCount = 36

    private static func isHyphen(at position: Int) -> Bool {
        position == 8 || position == 13 || position == 18 || position == 23
    }

    /// Reads `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, either case; nil for anything else.
    package init?(_ text: String) {
        var text = text
        guard let id = text.withUTF8(StepID.init(utf8:)) else { return nil }
        self = id
    }

    private init?(utf8 text: UnsafeBufferPointer<UInt8>) {
        guard text.count == Self.textByteCount else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for position in 0..<Self.textByteCount {
            let byte = text[position]
            if Self.isHyphen(at: position) {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            let value: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = byte - UInt8(ascii: "A") + 10
            default: return nil
            }
            if position < 18 {
                high = high << 4 | UInt64(value)
            } else {
                low = low << 4 | UInt64(value)
            }
        }
        self.init(high: high, low: low)
    }

    /// The canonical lower-case text.
    package var description: String {
        String(unsafeUninitializedCapacity: Self.textByteCount) { buffer in
            var (high, low) = (high, low)
            for position in 0..<Self.textByteCount {
                if Self.isHyphen(at: position) {
                    buffer[position] = UInt8(ascii: "-")
                    continue
                }
                let nibble: UInt8
                if position < 18 {
                    nibble = UInt8(truncatingIfNeeded: high >> 60)
                    high <<= 4
                } else {
                    nibble = UInt8(truncatingIfNeeded: low >> 60)
                    low <<= 4
                }
                buffer[position] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
            }
            return Self.textByteCount
        }
    }
}

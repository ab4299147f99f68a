import Ledger

/// An id's text in memory, without a string of it.
extension StepID {
    static let textByteCount = 36

    /// Reads `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, either case; nil for anything else.
    init?(text: UnsafeRawBufferPointer) {
        guard text.count == Self.textByteCount else { return nil }
        var faults =
            (text[8] ^ Self.hyphen) | (text[13] ^ Self.hyphen) | (text[18] ^ Self.hyphen) | (text[23] ^ Self.hyphen)
        func digits(_ range: Range<Int>, into word: inout UInt64) {
            for position in range {
                let value = Self.digitValues[Int(text[position])]
                // 0xFF marks what is no digit.
                faults |= value & 0xF0
                word = word &<< 4 | UInt64(value & 0xF)
            }
        }
        var high: UInt64 = 0
        var low: UInt64 = 0
        digits(0..<8, into: &high)
        digits(9..<13, into: &high)
        digits(14..<18, into: &high)
        digits(19..<23, into: &low)
        digits(24..<36, into: &low)
        guard faults == 0 else { return nil }
        self.init(high: high, low: low)
    }

    /// Writes the canonical lower-case text into 36 bytes.
    func writeText(to text: UnsafeMutableRawBufferPointer) {
        func digits(of word: UInt64, from first: Int, _ range: Range<Int>) {
            for position in range {
                let nibble = UInt8(truncatingIfNeeded: word &>> UInt64(60 - 4 * (position - first))) & 0xF
                text[position] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
            }
        }
        digits(of: high, from: 0, 0..<8)
        digits(of: high, from: 1, 9..<13)
        digits(of: high, from: 2, 14..<18)
        digits(of: low, from: 19, 19..<23)
        digits(of: low, from: 20, 24..<36)
        (text[8], text[13], text[18], text[23]) = (Self.hyphen, Self.hyphen, Self.hyphen, Self.hyphen)
    }

    private static let hyphen = UInt8(ascii: "-")

    /// The value of each hexadecimal digit by its byte; 0xFF for every other byte. Immortal.
    nonisolated(unsafe) private static let digitValues: UnsafePointer<UInt8> = {
        let values = UnsafeMutablePointer<UInt8>.allocate(capacity: 256)
        values.initialize(repeating: 0xFF, count: 256)
        for (value, digit) in "0123456789abcdef".utf8.enumerated() { values[Int(digit)] = UInt8(value) }
        for (value, digit) in "ABCDEF".utf8.enumerated() { values[Int(digit)] = UInt8(value + 10) }
        return UnsafePointer(values)
    }()
}

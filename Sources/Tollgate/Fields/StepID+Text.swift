import Ledger

/// An id's text in memory, without a string of it.
extension StepID {
    package static let textByteCount = 36

    /// Reads `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, either case; nil for anything else.
    package init?(text: UnsafeRawBufferPointer) {
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
    package func writeText(to text: UnsafeMutableRawBufferPointer) {
        precondition(text.count == Self.textByteCount, "an id has 36 bytes of text")
        let pairs = Self.digitPairs
        func write(_ word: UInt64, bytes: Range<Int>, at position: Int) {
            for (index, byte) in bytes.enumerated() {
                let value = Int(truncatingIfNeeded: word &>> UInt64(56 - 8 * byte)) & 0xFF
                text.storeBytes(of: pairs[value], toByteOffset: position + 2 * index, as: UInt16.self)
            }
        }
        write(high, bytes: 0..<4, at: 0)
        write(high, bytes: 4..<6, at: 9)
        write(high, bytes: 6..<8, at: 14)
        write(low, bytes: 0..<2, at: 19)
        write(low, bytes: 2..<8, at: 24)
        (text[8], text[13], text[18], text[23]) = (Self.hyphen, Self.hyphen, Self.hyphen, Self.hyphen)
    }

    /// The two lower-case digits of each byte, as they lie in memory. Immortal.
    nonisolated(unsafe) private static let digitPairs: UnsafePointer<UInt16> = {
        let pairs = UnsafeMutablePointer<UInt16>.allocate(capacity: 256)
        let digits = Array("0123456789abcdef".utf8)
        for byte in 0..<256 {
            let pair = UInt16(digits[byte >> 4]) | UInt16(digits[byte & 0xF]) << 8
            (pairs + byte).initialize(to: pair.littleEndian)
        }
        return UnsafePointer(pairs)
    }()

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

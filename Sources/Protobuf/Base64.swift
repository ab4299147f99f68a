/// Base64 (RFC 4648, section 4): with padding as JSON has it, without as gRPC's `-bin` metadata has it.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The value of each character, 0xFF for what is none.
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xFF, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()

    /// The text of some bytes.
    package static func encode(_ bytes: [UInt8], padded: Bool) -> String {
        String(unsafeUninitializedCapacity: (bytes.count + 2) / 3 * 4) { out in
            var count = 0
            var bits: UInt32 = 0
            var held = 0
            for byte in bytes {
                bits = bits << 8 | UInt32(byte)
                held += 8
                while held >= 6 {
                    held -= 6
                    out[count] = alphabet[Int(bits >> UInt32(held) & 0x3F)]
                    count += 1
                }
            }
            if held > 0 {
                out[count] = alphabet[Int(bits << UInt32(6 - held) & 0x3F)]
                count += 1
            }
            while padded, count % 4 != 0 {
                out[count] = UInt8(ascii: "=")
                count += 1
            }
            return count
        }
    }

    /// The bytes of a text, padded or not; nil for a foreign character, wrong padding or a length that nothing encodes to.
    package static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.underestimatedCount * 3 / 4)
        var bits: UInt32 = 0
        var characters = 0
        var padding = 0
        for character in text {
            if character == UInt8(ascii: "=") {
                padding += 1
                continue
            }
            let value = values[Int(character)]
            guard value != 0xFF, padding == 0 else { return nil }
            bits = bits << 6 | UInt32(value)
            characters += 1
            let held = characters * 6 % 8
            if characters % 4 != 1 { bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(held))) }
        }
        let rest = characters % 4
        guard rest != 1, padding == 0 || (rest != 0 && padding == 4 - rest) else { return nil }
        return bytes
    }
}

/// The encoding of `grpc-message` (gRPC over HTTP/2, "Status-Message"): UTF-8 in which everything but 0x20–0x24 and
/// 0x26–0x7E stands as `%XX`.
package enum PercentEncoding {
    /// The upper-case digits that the specification asks for.
    private static let digits = Array("0123456789ABCDEF".utf8)

    /// The text as it crosses the wire, made of at most the first 4 KiB of the text's UTF-8, cut between characters.
    package static func encode(_ text: String) -> String {
        let source = text.utf8.count <= Limits.statusMessageBytes ? text : cut(text)
        if source.utf8.allSatisfy(isPlain) { return source }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(source.utf8.count + 16)
        for byte in source.utf8 {
            if isPlain(byte) {
                bytes.append(byte)
            } else {
                bytes.append(contentsOf: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The text that was sent. It never fails: a broken escape stands for itself, broken UTF-8 becomes U+FFFD.
    package static func decode(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
        let source = Array(text.utf8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(source.count)
        var index = 0
        while index < source.count {
            if source[index] == UInt8(ascii: "%"), index + 2 < source.count, let high = value(source[index + 1]),
                let low = value(source[index + 2])
            {
                bytes.append(high << 4 | low)
                index += 3
            } else {
                bytes.append(source[index])
                index += 1
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether a byte stands for itself.
    private static func isPlain(_ byte: UInt8) -> Bool { (0x20...0x7E).contains(byte) && byte != UInt8(ascii: "%") }

    /// The value of a hexadecimal digit of either case.
    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    /// The longest beginning of a text that fits into the bound.
    private static func cut(_ text: String) -> String {
        var end = text.utf8.index(text.utf8.startIndex, offsetBy: Limits.statusMessageBytes)
        while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }
}

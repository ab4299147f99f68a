/// Writes JSON text, one value after the other, commas included.
public struct JSONWriter {
    private var bytes: [UInt8] = []
    /// Whether the next key or element of the open object or array follows another one.
    private var needsComma = false

    /// A writer of one JSON value.
    public init() {}

    /// The text so far.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    // MARK: Structure

    /// Begins an object.
    public mutating func beginObject() { open("{") }
    /// Ends the innermost object.
    public mutating func endObject() { close("}") }
    /// Begins an array.
    public mutating func beginArray() { open("[") }
    /// Ends the innermost array.
    public mutating func endArray() { close("]") }

    /// Writes the name of the member whose value comes next.
    public mutating func key(_ name: String) {
        separate()
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    private mutating func open(_ bracket: Unicode.Scalar) {
        separate()
        bytes.append(UInt8(ascii: bracket))
        needsComma = false
    }

    private mutating func close(_ bracket: Unicode.Scalar) {
        bytes.append(UInt8(ascii: bracket))
        needsComma = true
    }

    /// Puts a comma where a value stands before this one.
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    // MARK: Values

    /// `null`.
    public mutating func null() { raw("null") }

    /// `true` or `false`.
    public mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }

    /// An integer that every JSON reader takes without loss.
    public mutating func number(_ value: some FixedWidthInteger) { raw(String(value)) }

    /// An integer of 64 bits, which proto3 writes as a string.
    public mutating func quotedNumber(_ value: some FixedWidthInteger) { raw("\"" + String(value) + "\"") }

    /// A floating-point number; what JSON has no number for is a string.
    public mutating func float<F: BinaryFloatingPoint & CustomStringConvertible>(_ value: F) {
        if value.isNaN {
            raw("\"NaN\"")
        } else if value.isInfinite {
            raw(value < 0 ? "\"-Infinity\"" : "\"Infinity\"")
        } else {
            raw(value.description)
        }
    }

    /// A string.
    public mutating func string(_ value: String) {
        separate()
        quote(value)
    }

    /// Bytes in standard base64.
    public mutating func base64(_ value: [UInt8]) { raw("\"" + Base64.encode(value, padded: true) + "\"") }

    private mutating func raw(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0x0A: bytes += "\\n".utf8
            case 0x0D: bytes += "\\r".utf8
            case 0x09: bytes += "\\t".utf8
            case 0..<0x20, 0x7F:
                let digits = String(byte, radix: 16)
                bytes += ("\\u00" + (digits.utf8.count < 2 ? "0" : "") + digits).utf8
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

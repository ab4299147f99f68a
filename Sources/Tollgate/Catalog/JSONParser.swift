/// Reads a JSON text (RFC 8259) into nodes that know their lines. Depth is bounded, names of an object are unique, and
/// the first fault ends the reading. Foundation's parser tells no lines, which is why this one exists.
package struct JSONParser {
    private let bytes: [UInt8]
    private let maxDepth: Int
    private var position = 0
    private var line = 1

    /// The one value that `bytes` holds. The caller bounds their number.
    package static func parse(
        _ bytes: [UInt8], maxDepth: Int = Limits.maxCatalogDepth
    ) throws(JSONSyntaxError) -> JSONNode {
        var parser = JSONParser(bytes: bytes, maxDepth: maxDepth)
        let node = try parser.value(depth: 0)
        parser.skipBlanks()
        if let byte = parser.peek {
            throw parser.fault("\(parser.named(byte)) after the end of the value")
        }
        return node
    }

    private init(bytes: [UInt8], maxDepth: Int) {
        self.bytes = bytes
        self.maxDepth = maxDepth
    }

    private var peek: UInt8? {
        position < bytes.count ? bytes[position] : nil
    }

    private func fault(_ reason: String) -> JSONSyntaxError {
        JSONSyntaxError(line: line, reason: reason)
    }

    /// A byte for a person to read.
    private func named(_ byte: UInt8) -> String {
        (0x21...0x7E).contains(byte) ? "\"\(Character(Unicode.Scalar(byte)))\"" : "byte \(byte)"
    }

    private func unexpected(wanted: String) -> JSONSyntaxError {
        guard let byte = peek else { return fault("the text ends where \(wanted) should be") }
        return fault("\(named(byte)) where \(wanted) should be")
    }

    private mutating func skipBlanks() {
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\n"): line += 1
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): break
            default: return
            }
            position += 1
        }
    }

    /// Takes `byte` if it comes next.
    private mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONSyntaxError) -> JSONNode {
        skipBlanks()
        let start = line
        guard let byte = peek else { throw unexpected(wanted: "a value") }
        switch byte {
        case UInt8(ascii: "{"):
            return JSONNode(line: start, value: .object(try object(depth: depth + 1)))
        case UInt8(ascii: "["):
            return JSONNode(line: start, value: .array(try array(depth: depth + 1)))
        case UInt8(ascii: "\""):
            return JSONNode(line: start, value: .string(try string()))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return JSONNode(line: start, value: try number())
        case UInt8(ascii: "t"):
            return JSONNode(line: start, value: try word("true", .bool(true)))
        case UInt8(ascii: "f"):
            return JSONNode(line: start, value: try word("false", .bool(false)))
        case UInt8(ascii: "n"):
            return JSONNode(line: start, value: try word("null", .null))
        default:
            throw unexpected(wanted: "a value")
        }
    }

    private mutating func word(_ word: StaticString, _ value: JSONNode.Value) throws(JSONSyntaxError) -> JSONNode.Value
    {
        let end = position + word.utf8CodeUnitCount
        let matches = word.withUTF8Buffer { end <= bytes.count && bytes[position..<end].elementsEqual($0) }
        guard matches else { throw fault("a word that is not true, false or null") }
        position = end
        return value
    }

    private func checkDepth(_ depth: Int) throws(JSONSyntaxError) {
        if depth > maxDepth { throw fault("more than \(maxDepth) objects and lists inside each other") }
    }

    private mutating func array(depth: Int) throws(JSONSyntaxError) -> [JSONNode] {
        try checkDepth(depth)
        position += 1
        var nodes: [JSONNode] = []
        skipBlanks()
        if take(UInt8(ascii: "]")) { return nodes }
        while true {
            nodes.append(try value(depth: depth))
            skipBlanks()
            if take(UInt8(ascii: "]")) { return nodes }
            guard take(UInt8(ascii: ",")) else { throw unexpected(wanted: "\",\" or \"]\"") }
        }
    }

    private mutating func object(depth: Int) throws(JSONSyntaxError) -> [JSONNode.Member] {
        try checkDepth(depth)
        position += 1
        var members: [JSONNode.Member] = []
        var lines: [String: Int] = [:]
        skipBlanks()
        if take(UInt8(ascii: "}")) { return members }
        while true {
            skipBlanks()
            guard peek == UInt8(ascii: "\"") else { throw unexpected(wanted: "a name in quotes") }
            let nameLine = line
            let name = try string()
            if let earlier = lines.updateValue(nameLine, forKey: name) {
                throw JSONSyntaxError(line: nameLine, reason: "the name \"\(name)\" stands on line \(earlier) already")
            }
            skipBlanks()
            guard take(UInt8(ascii: ":")) else { throw unexpected(wanted: "\":\"") }
            members.append(JSONNode.Member(name: name, line: nameLine, node: try value(depth: depth)))
            skipBlanks()
            if take(UInt8(ascii: "}")) { return members }
            guard take(UInt8(ascii: ",")) else { throw unexpected(wanted: "\",\" or \"}\"") }
        }
    }
}

// MARK: - Numbers and strings

extension JSONParser {
    private mutating func digits() throws(JSONSyntaxError) {
        let start = position
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        if position == start { throw unexpected(wanted: "a digit") }
    }

    private mutating func number() throws(JSONSyntaxError) -> JSONNode.Value {
        let start = position
        var isWhole = true
        _ = take(UInt8(ascii: "-"))
        if take(UInt8(ascii: "0")) {
            if let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                throw fault("a number that begins with 0")
            }
        } else {
            try digits()
        }
        if take(UInt8(ascii: ".")) {
            isWhole = false
            try digits()
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            isWhole = false
            position += 1
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        if isWhole, let whole = Int64(text) { return .integer(whole) }
        return .number(text)
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        position += 1
        var text: [UInt8] = []
        while true {
            guard let byte = peek else { throw fault("the text ends inside a string") }
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw fault("a string that is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"):
                try escape(into: &text)
            case 0..<0x20:
                throw fault("a control character inside a string; write it as an escape")
            default:
                text.append(byte)
            }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONSyntaxError) {
        guard let byte = peek else { throw fault("the text ends inside a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: String(try escapedScalar()).utf8)
        default: throw fault("an escape that JSON does not have: \\ and \(named(byte))")
        }
    }

    /// The character of one `\uXXXX`, or of the two that make up a character beyond U+FFFF.
    private mutating func escapedScalar() throws(JSONSyntaxError) -> Unicode.Scalar {
        let first = try fourHexDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        if (0xD800..<0xDC00).contains(first), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
            let second = try fourHexDigits()
            if (0xDC00..<0xE000).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
            {
                return scalar
            }
        }
        throw fault("half of a \\u pair without its other half")
    }

    private mutating func fourHexDigits() throws(JSONSyntaxError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw unexpected(wanted: "a hexadecimal digit")
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }
}

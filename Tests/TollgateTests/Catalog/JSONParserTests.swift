import Testing

@testable import Tollgate

@Suite("A JSON text is read with the lines of its parts")
struct JSONParserTests {
    @Test("every kind of value keeps the line on which it begins")
    func lines() throws {
        let text = """
            {
              "a": [1, -2,
                    true, false, null],
              "b":
                { "c": "d" },
              "e": 1.5
            }
            """
        let node = try JSONParser.parse(Array(text.utf8))
        let list = JSONNode(
            line: 2,
            value: .array([
                JSONNode(line: 2, value: .integer(1)), JSONNode(line: 2, value: .integer(-2)),
                JSONNode(line: 3, value: .bool(true)), JSONNode(line: 3, value: .bool(false)),
                JSONNode(line: 3, value: .null),
            ]))
        let inner = JSONNode(
            line: 5,
            value: .object([.init(name: "c", line: 5, node: JSONNode(line: 5, value: .string("d")))]))
        let expected = JSONNode(
            line: 1,
            value: .object([
                .init(name: "a", line: 2, node: list), .init(name: "b", line: 4, node: inner),
                .init(name: "e", line: 6, node: JSONNode(line: 6, value: .number("1.5"))),
            ]))
        #expect(node == expected)
    }

    @Test(
        "a value is what it says",
        arguments: [
            ("0", .integer(0)), ("-0", .integer(0)), ("9223372036854775807", .integer(.max)),
            ("-9223372036854775808", .integer(.min)), ("9223372036854775808", .number("9223372036854775808")),
            ("1e3", .number("1e3")), ("0.10", .number("0.10")), ("-2.5E-7", .number("-2.5E-7")),
            (#""a\"\\\/\b\f\n\r\t""#, .string("a\"\\/\u{8}\u{C}\n\r\t")),
            (#""\u00e9\u20AC\ud83d\ude00""#, .string("é€😀")), ("\"é€😀\"", .string("é€😀")), ("[]", .array([])),
            ("{}", .object([])), (" \r\n\ttrue \n", .bool(true)),
        ] as [(String, JSONNode.Value)])
    func values(text: String, value: JSONNode.Value) throws {
        #expect(try JSONParser.parse(Array(text.utf8)).value == value)
    }

    @Test(
        "a text that is not JSON is refused with its line",
        arguments: [
            ("", 1, "the text ends where a value should be"),
            ("\n\n", 3, "the text ends where a value should be"),
            ("[1,\n2", 2, "the text ends where \",\" or \"]\" should be"),
            ("[1,]", 1, "\"]\" where a value should be"),
            ("{\"a\":1,\n}", 2, "\"}\" where a name in quotes should be"),
            ("{a:1}", 1, "\"a\" where a name in quotes should be"),
            ("{\"a\" 1}", 1, "\"1\" where \":\" should be"),
            ("{\"a\":1\n\"b\":2}", 2, "\"\"\" where \",\" or \"}\" should be"),
            ("{\"a\":1,\n\"a\":2}", 2, "the name \"a\" stands on line 1 already"),
            ("1\n2", 2, "\"2\" after the end of the value"),
            ("tru", 1, "a word that is not true, false or null"),
            ("nul1", 1, "a word that is not true, false or null"),
            ("01", 1, "a number that begins with 0"),
            ("-", 1, "the text ends where a digit should be"),
            ("1.", 1, "the text ends where a digit should be"),
            ("1ex", 1, "\"x\" where a digit should be"),
            ("+1", 1, "\"+\" where a value should be"),
            ("\"ab", 1, "the text ends inside a string"),
            ("\"ab\\", 1, "the text ends inside a string"),
            ("\"a\nb\"", 1, "a control character inside a string; write it as an escape"),
            (#""\x""#, 1, "an escape that JSON does not have: \\ and \"x\""),
            (#""\u12g4""#, 1, "\"g\" where a hexadecimal digit should be"),
            (#""\ud83d""#, 1, "half of a \\u pair without its other half"),
            (#""\ud83d\u0041""#, 1, "half of a \\u pair without its other half"),
            (#""\ude00""#, 1, "half of a \\u pair without its other half"),
            ("\u{FEFF}1", 1, "byte 239 where a value should be"),
        ])
    func faults(text: String, line: Int, reason: String) {
        #expect(throws: JSONSyntaxError(line: line, reason: reason)) {
            try JSONParser.parse(Array(text.utf8))
        }
    }

    @Test("a string that is not UTF-8 is refused")
    func invalidUTF8() {
        #expect(throws: JSONSyntaxError(line: 2, reason: "a string that is not UTF-8")) {
            try JSONParser.parse([0x0A, 0x22, 0xC3, 0x28, 0x22])
        }
    }

    @Test("depth is bounded, and reached without harm")
    func depth() throws {
        let nested = { (depth: Int) in Array(String(repeating: "[", count: depth).utf8) }
        let deepest = nested(3) + Array("]]]".utf8)
        #expect(throws: Never.self) { try JSONParser.parse(deepest, maxDepth: 3) }
        #expect(throws: JSONSyntaxError(line: 1, reason: "more than 3 objects and lists inside each other")) {
            try JSONParser.parse(nested(1_000_000), maxDepth: 3)
        }
    }

    @Test("no prefix of a text and no changed byte of it stops the parser from answering")
    func damaged() {
        let text = Array(#"{"a": [1, -2.5e3, "x\u00e9\ud83d\ude00", null], "b": {"c": true}}"#.utf8)
        for end in text.indices {
            #expect(throws: JSONSyntaxError.self) { try JSONParser.parse(Array(text[..<end])) }
        }
        for index in text.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = text
                changed[index] = byte
                _ = try? JSONParser.parse(changed)
            }
        }
    }
}

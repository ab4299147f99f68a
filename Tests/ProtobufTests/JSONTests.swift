import Protobuf
import Testing

/// Proto3's mapping to JSON.
struct JSONTests {
    static let cases: [(message: AllTypes, text: String)] = [
        (AllTypes(), "{}"),
        (.with { $0.int32Value = -5 }, #"{"int32Value":-5}"#),
        (.with { $0.int64Value = 9_007_199_254_740_993 }, #"{"int64Value":"9007199254740993"}"#),
        (.with { $0.doubleValue = .nan }, #"{"doubleValue":"NaN"}"#),
        (.with { $0.doubles = [.infinity, -.infinity, 0.5] }, #"{"doubles":["Infinity","-Infinity",0.5]}"#),
        (.with { $0.boolValue = true }, #"{"boolValue":true}"#),
        (.with { $0.stringValue = "a\"\\\n\u{1}é" }, #"{"stringValue":"a\"\\\n\u0001é"}"#),
        (.with { $0.bytesValue = [0xFF, 0xFE] }, #"{"bytesValue":"//4="}"#),
        (.with { $0.blobs = [[], [0], [0, 1], [0, 1, 2]] }, #"{"blobs":["","AA==","AAE=","AAEC"]}"#),
        (.with { $0.color = .deepBlue }, #"{"color":"COLOR_DEEP_BLUE"}"#),
        (.with { $0.colors = [.red, .unrecognized(9)] }, #"{"colors":["COLOR_RED",9]}"#),
        (.with { $0.maybeInt32 = 0 }, #"{"maybeInt32":0}"#),
        (.with { $0.inner = .with { $0.default = "x" } }, #"{"inner":{"default":"x"}}"#),
        (.with { $0.counts = ["b": 1, "a": 2] }, #"{"counts":{"a":"2","b":"1"}}"#),
        (.with { $0.byFlag = [true: .red, false: .red] }, #"{"byFlag":{"false":"COLOR_RED","true":"COLOR_RED"}}"#),
        (.with { $0.innerByID = ["a": .init()] }, #"{"innerById":{"a":{}}}"#),
        (.with { $0.choice = .choiceText("") }, #"{"choiceText":""}"#),
        (.with { $0.span = ProtoDuration(.milliseconds(1500)) }, #"{"span":"1.500s"}"#),
        (.with { $0.empty = Empty() }, #"{"empty":{}}"#),
    ]

    @Test(arguments: cases.indices)
    func isShownAs(_ index: Int) {
        #expect(Self.cases[index].message.jsonString() == Self.cases[index].text)
    }

    @Test func embeddedTextComesBackAsItsBytes() {
        let file = EmbeddedFile(
            name: "a.proto",
            base64: """
                AAEC
                A/8=
                """)
        #expect(file.descriptorBytes == [0, 1, 2, 3, 0xFF])
    }
}

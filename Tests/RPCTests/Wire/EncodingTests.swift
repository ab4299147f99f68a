import Protobuf
import RPC
import SeededRandom
import Testing

@Suite struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
        ("foobar", "Zm9vYmFy"),
    ])
    func encodesWithoutPaddingAndDecodesWithAndWithout(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8), padded: false) == encoded)
        #expect(Base64.decode(encoded.utf8) == Array(plain.utf8))
        let padded = encoded + String(repeating: "=", count: (4 - encoded.utf8.count % 4) % 4)
        #expect(Base64.encode(Array(plain.utf8), padded: true) == padded)
        #expect(Base64.decode(padded.utf8) == Array(plain.utf8))
    }

    @Test(arguments: ["Z", "Zm9vY", "Zm9v=", "Zg=", "Zg===", "Zm8==", "=", "Z=g=", "Zm9v!", "Zm 8", "Zm9v\n"])
    func refusesWhatNothingEncodesTo(text: String) {
        #expect(Base64.decode(text.utf8) == nil)
    }

    @Test func whatIsEncodedDecodesToItself() {
        let seed = freshSeed()
        var random = SeededRandom(seed: seed)
        for count in 0..<300 {
            let bytes = random.bytes(count)
            #expect(Base64.decode(Base64.encode(bytes, padded: false).utf8) == bytes, "seed \(seed)")
        }
    }
}

@Suite struct PercentEncodingTests {
    @Test(arguments: [
        ("plain text", "plain text"), ("100%", "100%25"), ("a\nb", "a%0Ab"), ("ü", "%C3%BC"), ("☺", "%E2%98%BA"),
        ("~\u{7F}", "~%7F"),
    ])
    func encodesAllButPrintableASCIIAndThePercentSign(text: String, encoded: String) {
        #expect(PercentEncoding.encode(text) == encoded)
        #expect(PercentEncoding.decode(encoded) == text)
    }

    @Test(arguments: [
        ("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%41%", "A%"), ("%e2%98%ba", "☺"), ("%FF", "\u{FFFD}"),
    ])
    func decodingNeverFails(encoded: String, text: String) {
        #expect(PercentEncoding.decode(encoded) == text)
    }

    @Test func aLongTextIsCutBetweenCharacters() {
        let encoded = PercentEncoding.encode("a" + String(repeating: "ü", count: 5_000))
        #expect(PercentEncoding.decode(encoded) == "a" + String(repeating: "ü", count: 2_047))
    }
}

@Suite struct CallTimeoutTests {
    @Test(arguments: [
        ("0n", 0), ("1n", 1), ("1u", 1_000), ("20m", 20_000_000), ("3S", 3_000_000_000), ("2M", 120_000_000_000),
        ("1H", 3_600_000_000_000), ("99999999n", 99_999_999), ("99999999H", Int64.max), ("00000001S", 1_000_000_000),
    ])
    func readsDigitsAndUnit(text: String, nanoseconds: Int64) {
        #expect(CallTimeout.parse(Array(text.utf8)) == nanoseconds)
    }

    @Test(arguments: ["", "n", "1", "1s", "-1S", "+1S", "1.5S", " 1S", "1S ", "123456789n", "1 S", "٣S"])
    func refusesAnythingElse(text: String) {
        #expect(CallTimeout.parse(Array(text.utf8)) == nil)
    }

    @Test(arguments: [
        (Int64(-5), "0n"), (0, "0n"), (1, "1n"), (99_999_999, "99999999n"), (100_000_000, "100000u"),
        (100_000_000_001, "100001m"), (Int64.max, "2562048H"),
    ])
    func writesTheFinestUnitThatFits(nanoseconds: Int64, text: String) {
        let written = CallTimeout.format(nanoseconds: nanoseconds)
        #expect(written == text || CallTimeout.parse(Array(written.utf8))! >= nanoseconds)
        #expect(written.utf8.count <= 9)
    }

    @Test func whatIsWrittenIsReadAsNoLessAndHardlyMore() throws {
        let seed = freshSeed()
        var random = SeededRandom(seed: seed)
        for _ in 0..<1_000 {
            let time = Int64.random(in: 1...Int64.max >> Int64.random(in: 0..<62, using: &random), using: &random)
            let read = try #require(CallTimeout.parse(Array(CallTimeout.format(nanoseconds: time).utf8)))
            #expect(read >= time && Double(read) <= Double(time) * 1.001 + 1, "seed \(seed)")
        }
    }
}

import Glibc
import Testing

@testable import TollgateCommand

/// What is printed is aligned, harmless and bounded.
@Suite struct ConsoleTests {
    @Test func columnsAreAlignedByTheirWidestCell() {
        var table = Table([("TENANT", .left), ("AVAILABLE", .right), ("NAME", .left)])
        table.add(["a", "1", "x"])
        table.add(["longer-one", "1,000,000,000", ""])
        #expect(
            table.text == """
                TENANT          AVAILABLE  NAME
                a                       1  x
                longer-one  1,000,000,000

                """)
    }

    @Test func namesCannotPaintOverTheTerminal() {
        #expect(printable("a\u{1B}[2Jb\nc\u{9B}") == "a\u{FFFD}[2Jb\u{FFFD}c\u{FFFD}")
        #expect(printable("für Ärzte ✓") == "für Ärzte ✓")
        #expect(quoted("a\nb") == "'a?b'")
        #expect(quoted(String(repeating: "x", count: 200)).count == 83)
    }

    @Test func aProgressLineTellsPartSpeedAndRest() {
        #expect(
            ProgressBar.line(done: 50, of: 100, elapsedNs: 1_000_000_000, steps: 100)
                == "[##############..............]  50 %  50 of 100 calls  100 steps/s  2 s left")
        #expect(
            ProgressBar.line(done: 0, of: 100, elapsedNs: 0, steps: 0)
                == "[............................]   0 %  0 of 100 calls")
        #expect(ProgressBar.line(done: 100, of: 100, elapsedNs: 2_000_000_000, steps: 200).hasSuffix("100 steps/s"))
        #expect(ProgressBar.line(done: 0, of: 0, elapsedNs: 0, steps: 0).contains("100 %"))
    }

    @Test func jsonIsEscaped() {
        let value = JSONText.object([
            ("a\"b", .string("\u{1}\n\\é")), ("n", .null),
            ("list", .array([.bool(true), .integer(-1), .decimal(0.5)])),
            ("empty", .object([])),
        ])
        #expect(
            value.text == #"{"a\"b":"\u0001\n\\é","n":null,"list":[true,-1,0.5],"empty":{}}"#)
    }

    @Test func aReaderThatWentAwayEndsTheCommandQuietly() {
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        close(ends[0])
        defer { close(ends[1]) }
        let console = Console(output: ends[1], errors: ends[1])
        #expect(failure(of: { () throws(CommandError) in try console.line("x") }) == .outputClosed)
    }

    @Test func whatIsWrittenArrivesWhole() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        defer { close(ends[0]) }
        let console = Console(output: ends[1], errors: ends[1])
        #expect(!console.showsProgress)
        try console.line("result")
        console.message("note")
        close(ends[1])
        var bytes = [UInt8](repeating: 0, count: 64)
        var text = ""
        while case let count = read(ends[0], &bytes, bytes.count), count > 0 {
            text += String(decoding: bytes[..<count], as: UTF8.self)
        }
        #expect(text == "result\nnote\n")
    }
}

import Ledger
import Testing

@testable import TollgateCommand

/// A trace is read whole, whatever its line ends, or refused with the number of the bad line.
@Suite struct TraceReaderTests {
    static let time: Int64 = 1_700_158_546_680_590

    /// The rows of a text that is fed in pieces of so many bytes.
    func rows(_ text: String, piece: Int = 1 << 20, limit: Int = 1_000) throws(TraceError) -> [TraceRow] {
        var reader = TraceReader(rowLimit: limit)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let result = Array(rest.prefix(piece)).withUnsafeBytes { bytes in
                Result { () throws(TraceError) in try reader.feed(bytes) }
            }
            try result.get()
            rest = rest.dropFirst(piece)
        }
        try reader.finish()
        return reader.rows
    }

    @Test(arguments: [
        "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n",
        "\u{FEFF}generatedtokens, user ,timestamp,ContextTokens\n\n44,\"a,\"\"b\",2023-11-16T18:15:46.68059Z, 374 \n\n",
        "\"TIMESTAMP\",\"ContextTokens\",\"GeneratedTokens\"\r\n\"2023-11-16 18:15:46.6805900\",\"374\",\"44\"\r\n",
    ])
    func everyFormOfTheSameRowIsRead(text: String) throws {
        let expected = [TraceRow(timeMicroseconds: Self.time, contextTokens: 374, generatedTokens: 44)]
        for piece in 1...text.utf8.count {
            let rows = try rows(text, piece: piece)
            #expect(rows == expected, "in pieces of \(piece)")
        }
    }

    static let header = "TIMESTAMP,ContextTokens,GeneratedTokens\n"

    @Test(arguments: [
        ("", 1, "the file is empty; it must begin with a header"),
        ("\n\n", 1, "the file is empty; it must begin with a header"),
        ("TIMESTAMP,ContextTokens\n", 1, "the header has no column GeneratedTokens"),
        ("\nTIMESTAMP,TIMESTAMP,ContextTokens,GeneratedTokens\n", 2, "the header has more than one column TIMESTAMP"),
        (header + "2023-11-16 18:15:46,1\n", 2, "2 cells where the header has 3"),
        (header + "2023-11-16 18:15:46,1,2,3\n", 2, "4 cells where the header has 3"),
        (header + "yesterday,1,2\n", 2, "'yesterday' is no time such as '2023-11-16 18:15:46.6805900'"),
        (
            header + "1969-11-16 18:15:46,1,2", 2,
            "'1969-11-16 18:15:46' is no time such as '2023-11-16 18:15:46.6805900'"
        ),
        (
            header + "2023-11-16 18:15:46,1,2\n\n2023-11-16 18:15:46,-1,2\n", 4,
            "'-1' is no count of tokens from 0 to 1000000000"
        ),
        (header + "2023-11-16 18:15:46,1,1000000001\n", 2, "'1000000001' is no count of tokens from 0 to 1000000000"),
        (header + "\"2023-11-16 18:15:46,1,2\n", 2, "a quote is opened and not closed"),
        (header + String(repeating: "x", count: 4_097), 2, "the line has more than 4096 bytes"),
        (header + String(repeating: "x", count: 9_000) + "\n", 2, "the line has more than 4096 bytes"),
    ])
    func aFaultNamesItsLine(text: String, line: Int, reason: String) {
        for piece in [1, 7, 1 << 20] {
            let error = failure(of: { () throws(TraceError) in try rows(text, piece: piece) })
            #expect(error == .line(line, reason: reason))
        }
    }

    @Test func aLimitStopsTheReadingBeforeLaterFaults() throws {
        let rows = try rows(Self.header + "2023-11-16 18:15:46,1,2\nnonsense\n", limit: 1)
        #expect(rows.count == 1)
    }

    @Test func aFileThatIsNotThereIsNamed() {
        let error = failure(of: { () throws(TraceError) in
            try TraceReader.rows(ofFile: "/nowhere/x.csv", rowLimit: nil)
        })
        #expect(error == .unreadable(path: "/nowhere/x.csv", reason: "No such file or directory"))
    }

    /// `demo` carries the trace that the repository ships.
    @Test func theSampleTraceIsThatOfTheRepository() throws {
        let path = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
        let shipped = try TraceReader.rows(ofFile: path + "/Deploy/traces/sample.csv", rowLimit: nil)
        let embedded = try TraceReader.rows(ofText: sampleTrace)
        #expect(shipped == embedded)
        #expect(embedded.count == 600)
    }

    @Test func idsAreTimeOrderedAndTellRowsAndRunsApart() {
        let row = TraceRow(timeMicroseconds: Self.time, contextTokens: 1, generatedTokens: 1)
        var later = row
        later.timeMicroseconds += 1_000
        let first = TraceIdentity(run: "replay")
        let second = TraceIdentity(run: "replaz")
        #expect(first.id(of: row, number: 0).description == "018bd958-a2f8-7b89-8000-003a84477736")
        #expect(first.id(of: row, number: 0) == TraceIdentity(run: "replay").id(of: row, number: 0))
        #expect(first.id(of: row, number: 0) < first.id(of: row, number: 1))
        #expect(first.id(of: row, number: Limits.traceRows) < first.id(of: later, number: 0))
        #expect(first.id(of: row, number: 0) != second.id(of: row, number: 0))
        for number in [0, 1, Limits.traceRows] {
            let id = first.id(of: row, number: number)
            #expect(id.isTimeOrdered)
            #expect(id.low >> 62 == 0b10)
            #expect(id.high >> 16 == UInt64(Self.time / 1_000))
        }
    }
}

import Tollgate

/// Reads a trace in CSV piece by piece, as the pieces come: a header that names its columns, then a call per line.
///
/// The columns TIMESTAMP, ContextTokens and GeneratedTokens are found by name, in any order and among others. Lines end with
/// LF or CRLF, the last one may lack its end, empty lines are passed over, a cell may stand in double quotes.
package struct TraceReader {
    /// The columns that a trace must have.
    private static let columns = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]

    /// The calls so far.
    package private(set) var rows: [TraceRow] = []
    /// Rows beyond this many are read no more.
    private let rowLimit: Int
    /// What came after the last end of a line.
    private var partial: [UInt8] = []
    private var lineNumber = 0
    /// Where time, context tokens and generated tokens stand in a line; nil before the header.
    private var places: [Int]?
    private var cellCount = 0

    /// A reader that stops after `rowLimit` rows.
    package init(rowLimit: Int) {
        self.rowLimit = rowLimit
    }

    /// Whether no further row is wanted.
    var isFull: Bool { rows.count >= rowLimit }

    /// Takes the next piece of the file.
    package mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(TraceError) {
        var start = bytes.startIndex
        while start < bytes.endIndex, !isFull {
            guard let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) else {
                partial.append(contentsOf: bytes[start...])
                guard partial.count <= Limits.traceLineBytes else { throw tooLong }
                return
            }
            if partial.isEmpty {
                try readLine(bytes[start..<end])
            } else {
                partial.append(contentsOf: bytes[start..<end])
                let line = partial
                partial.removeAll(keepingCapacity: true)
                try readLine(line)
            }
            start = end + 1
        }
    }

    /// Takes the end of the file, which ends the last line.
    package mutating func finish() throws(TraceError) {
        if !partial.isEmpty, !isFull {
            let line = partial
            partial.removeAll()
            try readLine(line)
        }
        guard places != nil else { throw .line(1, reason: "the file is empty; it must begin with a header") }
    }

    private var tooLong: TraceError {
        .line(lineNumber + 1, reason: "the line has more than \(Limits.traceLineBytes) bytes")
    }

    private mutating func readLine(_ line: some RandomAccessCollection<UInt8>) throws(TraceError) {
        guard line.count <= Limits.traceLineBytes else { throw tooLong }
        lineNumber += 1
        var line = line[...]
        if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
        if lineNumber == 1, line.starts(with: [0xEF, 0xBB, 0xBF]) { line = line.dropFirst(3) }
        guard !line.isEmpty else { return }
        let cells = try split(line)
        guard let places else { return try readHeader(cells) }
        guard cells.count == cellCount else {
            throw .line(lineNumber, reason: "\(cells.count) cells where the header has \(cellCount)")
        }
        let time = cells[places[0]]
        guard let microseconds = TimeText.microseconds(time), microseconds >= 0 else {
            throw .line(lineNumber, reason: "\(quoted(time)) is no time such as '2023-11-16 18:15:46.6805900'")
        }
        rows.append(
            TraceRow(
                timeMicroseconds: microseconds, contextTokens: try tokens(cells[places[1]]),
                generatedTokens: try tokens(cells[places[2]])))
    }

    private mutating func readHeader(_ cells: [String]) throws(TraceError) {
        var found: [Int] = []
        for column in Self.columns {
            let matching = cells.indices.filter { cells[$0].lowercased() == column.lowercased() }
            guard matching.count == 1 else {
                let problem = matching.isEmpty ? "has no column" : "has more than one column"
                throw .line(lineNumber, reason: "the header \(problem) \(column)")
            }
            found.append(matching[0])
        }
        places = found
        cellCount = cells.count
    }

    private func tokens(_ cell: String) throws(TraceError) -> Int64 {
        guard let count = Int64(cell), (0...Limits.traceTokens).contains(count) else {
            throw .line(lineNumber, reason: "\(quoted(cell)) is no count of tokens from 0 to \(Limits.traceTokens)")
        }
        return count
    }

    /// The cells of a line, without the blanks around them and the quotes (RFC 4180, section 2).
    private func split(_ line: some BidirectionalCollection<UInt8>) throws(TraceError) -> [String] {
        var cells: [String] = []
        var cell: [UInt8] = []
        var isQuoted = false
        var wasQuoted = false
        var rest = line[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\"") where isQuoted && rest.first == UInt8(ascii: "\""):
                cell.append(byte)
                rest.removeFirst()
            case UInt8(ascii: "\"") where isQuoted:
                isQuoted = false
            case UInt8(ascii: "\"") where cell.isEmpty && !wasQuoted:
                isQuoted = true
                wasQuoted = true
            case UInt8(ascii: ",") where !isQuoted:
                cells.append(text(cell))
                cell.removeAll(keepingCapacity: true)
                wasQuoted = false
            default:
                cell.append(byte)
            }
        }
        guard !isQuoted else { throw .line(lineNumber, reason: "a quote is opened and not closed") }
        cells.append(text(cell))
        return cells
    }

    private func text(_ cell: [UInt8]) -> String {
        let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        let start = cell.firstIndex { !isBlank($0) } ?? cell.endIndex
        let end = cell.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? start
        return String(decoding: cell[start..<end], as: UTF8.self)
    }
}

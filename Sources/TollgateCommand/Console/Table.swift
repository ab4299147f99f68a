/// Text in columns, aligned by the widest cell of each.
struct Table {
    /// Which side of its column a cell stands at.
    enum Alignment {
        case left, right
    }

    private let alignments: [Alignment]
    private var rows: [[String]] = []

    /// A table with a heading and an alignment for each column.
    init(_ columns: [(heading: String, alignment: Alignment)]) {
        alignments = columns.map(\.alignment)
        rows = [columns.map(\.heading)]
    }

    /// Adds a row with a cell for each column.
    mutating func add(_ cells: [String]) {
        precondition(cells.count == alignments.count, "A row has a cell for each column.")
        rows.append(cells.map(printable))
    }

    /// Lines without blanks at their ends.
    var text: String {
        let widths = alignments.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.indices.map { padded(row[$0], to: widths[$0], alignment: alignments[$0]) }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}

/// Names and values below each other, the values aligned.
func listing(_ pairs: [(name: String, value: String)], indent: Int = 0) -> String {
    let width = pairs.map(\.name.count).max() ?? 0
    return pairs.map { pair in
        String(repeating: " ", count: indent) + padded(pair.name, to: width) + "  " + printable(pair.value) + "\n"
    }.joined()
}

/// The text with blanks up to a width.
func padded(_ text: String, to width: Int, alignment: Table.Alignment = .left) -> String {
    let blanks = String(repeating: " ", count: max(0, width - text.count))
    return alignment == .left ? text + blanks : blanks + text
}

/// The text without control characters, which a name from elsewhere could use to paint over a terminal.
func printable(_ text: String) -> String {
    let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
    if isPlain { return text }
    return String(
        String.UnicodeScalarView(
            text.unicodeScalars.map { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "\u{FFFD}" : $0 }))
}

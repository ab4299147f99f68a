/// Collects lines of Swift with their indentation.
struct CodePrinter {
    /// The text so far.
    private(set) var text = ""
    private var depth = 0

    /// Adds text as it is.
    mutating func raw(_ more: String) { text += more }

    /// Adds a line, or an empty one.
    mutating func line(_ content: String = "") {
        text += content.isEmpty ? "\n" : String(repeating: "    ", count: depth) + content + "\n"
    }

    /// Adds a line, what stands indented below it, and what closes it.
    mutating func block(
        _ head: String, open: String = " {", close: String = "}",
        _ body: (inout CodePrinter) throws(SchemaFault) -> Void
    ) throws(SchemaFault) {
        line(head + open)
        depth += 1
        try body(&self)
        depth -= 1
        line(close)
    }

    /// As the other `block`, where nothing can be wrong.
    mutating func block(
        _ head: String, open: String = " {", close: String = "}", _ body: (inout CodePrinter) -> Void
    ) {
        line(head + open)
        depth += 1
        body(&self)
        depth -= 1
        line(close)
    }

    /// Adds a doc comment.
    mutating func doc(_ comment: String?) {
        guard let comment else { return }
        for part in comment.split(separator: "\n", omittingEmptySubsequences: false) {
            line(part.isEmpty ? "///" : "/// " + part)
        }
    }
}

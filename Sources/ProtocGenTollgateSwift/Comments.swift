import Protobuf

/// The comments of a schema file, by the place that they belong to.
struct Comments {
    private var byPath: [[Int32]: String] = [:]

    /// Collects the comments before each part, or behind it where there is none before.
    init(_ file: FileDescriptorProto) {
        for location in file.sourceCodeInfo?.locations ?? [] {
            let text = location.leadingComments.isEmpty ? location.trailingComments : location.leadingComments
            guard !text.isEmpty else { continue }
            byPath[location.path] = Comments.tidied(text)
        }
    }

    /// The comment of the part at a path of field numbers and indexes.
    subscript(path: [Int32]) -> String? { byPath[path] }

    /// Takes off the space behind the slashes and the empty lines around.
    private static func tidied(_ text: String) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            var line = line
            if line.first == " " { line.removeFirst() }
            while line.last == " " { line.removeLast() }
            return String(line)
        }
        while lines.last == "" { lines.removeLast() }
        while lines.first == "" { lines.removeFirst() }
        return lines.joined(separator: "\n")
    }
}

import Foundation

/// Writes one line per event to standard error: time, level, message, and facts as `key=value`. Keys and tokens of
/// callers never go in here.
package struct Logger: Sendable {
    package enum Level: String, Sendable {
        case info
        case warning
        case error
    }

    private let write: @Sendable (String) -> Void

    /// Logs to standard error.
    package init() {
        write = { line in FileHandle.standardError.write(Data((line + "\n").utf8)) }
    }

    /// Logs to wherever a test looks.
    package init(_ write: @escaping @Sendable (String) -> Void) {
        self.write = write
    }

    package func log(_ level: Level, _ message: String, _ facts: KeyValuePairs<String, String> = [:]) {
        var line = "\(Date.now.formatted(.iso8601)) \(level.rawValue) \(Self.onOneLine(message))"
        for (key, value) in facts { line += " \(key)=\(Self.quoted(value))" }
        write(line)
    }

    package func info(_ message: String, _ facts: KeyValuePairs<String, String> = [:]) { log(.info, message, facts) }
    package func warning(_ message: String, _ facts: KeyValuePairs<String, String> = [:]) {
        log(.warning, message, facts)
    }
    package func error(_ message: String, _ facts: KeyValuePairs<String, String> = [:]) { log(.error, message, facts) }

    private static func onOneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: "; ")
    }

    private static func quoted(_ value: String) -> String {
        let value = onOneLine(value)
        guard value.contains(where: { $0 == " " || $0 == "\"" }) || value.isEmpty else { return value }
        return "\"" + value.replacingOccurrences(of: "\"", with: "'") + "\""
    }
}

/// One call of a trace.
package struct TraceRow: Equatable, Sendable {
    /// When the call was made, in microseconds since 1970.
    package var timeMicroseconds: Int64
    /// Tokens of its prompt.
    package var contextTokens: Int64
    /// Tokens of its answer.
    package var generatedTokens: Int64
}

/// Why a trace cannot be read.
package enum TraceError: Error, Equatable {
    /// The file itself; `reason` is the system's.
    case unreadable(path: String, reason: String)
    /// A line that is not what it should be; lines count from 1.
    case line(Int, reason: String)

    /// One line for people.
    func text(path: String) -> String {
        switch self {
        case .unreadable(let path, let reason): "cannot read the trace \(quoted(path)): \(reason)"
        case .line(let number, let reason): "\(path):\(number): \(reason)"
        }
    }
}

/// Why a command did not do what it was asked; decides the exit status.
enum CommandError: Error, Equatable {
    /// The command line is wrong: status 2. `command` is whose help says what is right.
    case usage(String, command: [String])
    /// The work failed: status 1. One line that says what to do.
    case failed(String)
    /// Nobody reads standard output any more: status 1, without a word.
    case outputClosed
    /// The work failed, and what was printed says so already: status 1.
    case reported

    /// The status that the process ends with.
    var exitStatus: Int32 {
        switch self {
        case .usage: 2
        case .failed, .outputClosed, .reported: 1
        }
    }

    /// The line for standard error; nil where there is nothing more to say.
    var line: String? {
        switch self {
        case .usage(let text, let command):
            "tollgate: \(text); see 'tollgate \((command + ["--help"]).joined(separator: " "))'"
        case .failed(let text): "tollgate: " + text.split(whereSeparator: \.isNewline).joined(separator: " ")
        case .outputClosed, .reported: nil
        }
    }
}

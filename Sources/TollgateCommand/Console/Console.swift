import Glibc

/// Where a command writes: results on one descriptor, messages and progress on the other.
struct Console: Sendable {
    private let output: Int32
    private let errors: Int32

    /// Standard output and standard error, or what a test puts in their place.
    init(output: Int32 = STDOUT_FILENO, errors: Int32 = STDERR_FILENO) {
        self.output = output
        self.errors = errors
    }

    /// Whether messages go to a terminal, where a progress bar may move.
    var showsProgress: Bool { isatty(errors) == 1 }

    /// Writes results; nothing is held back.
    func write(_ text: String) throws(CommandError) {
        guard let error = Self.write(text, to: output) else { return }
        if error == EPIPE { throw .outputClosed }
        throw .failed("standard output cannot be written: \(String(cString: strerror(error))); write it elsewhere")
    }

    /// Writes one line of results.
    func line(_ text: String = "") throws(CommandError) {
        try write(text + "\n")
    }

    /// Writes a line for people. There is nobody to tell when that fails.
    func message(_ text: String) {
        _ = Self.write(text + "\n", to: errors)
    }

    /// Writes to the messages' side without ending the line.
    func progress(_ text: String) {
        _ = Self.write(text, to: errors)
    }

    /// Writes all of the text; the errno where that fails.
    private static func write(_ text: String, to descriptor: Int32) -> Int32? {
        var text = text
        return text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
                if written < 0 {
                    if errno == EINTR { continue }
                    return errno
                }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
            }
            return nil
        }
    }
}

import Foundation

/// Runs the programs that the wire format is compared with. One that is missing is a failure, not a skip.
enum OtherImplementations {
    /// A program that did not do what it was asked.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// The repository's root, from this file's place in it.
    static let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The Python that has protobuf: `TOLLGATE_PYTHON`, or the repository's own.
    static var python: String {
        ProcessInfo.processInfo.environment["TOLLGATE_PYTHON"] ?? root.appending(path: ".venv/bin/python").path
    }

    /// Runs protoc with the test's schema, on some input.
    static func protoc(_ arguments: [String], input: Data = Data()) throws -> Data {
        let schemas = root.appending(path: "Schemas").path
        return try run("protoc", ["-I", schemas] + arguments + ["test/all_types.proto"], input: input)
    }

    /// Runs a program and returns its standard output. Input and output go through files, so that neither side can wait for
    /// the other.
    static func run(_ program: String, _ arguments: [String], input: Data = Data()) throws -> Data {
        try withTemporaryFolder { folder in
            let inputFile = folder.appending(path: "input")
            let outputFile = folder.appending(path: "output")
            let errorFile = folder.appending(path: "error")
            try input.write(to: inputFile)
            try Data().write(to: outputFile)
            try Data().write(to: errorFile)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = [program] + arguments
            process.standardInput = try FileHandle(forReadingFrom: inputFile)
            process.standardOutput = try FileHandle(forWritingTo: outputFile)
            process.standardError = try FileHandle(forWritingTo: errorFile)
            try process.run()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else {
                let text = String(decoding: try Data(contentsOf: errorFile), as: UTF8.self)
                throw Failure(description: "\(program) ended with \(process.terminationStatus): \(text)")
            }
            return try Data(contentsOf: outputFile)
        }
    }

    /// A folder of its own for the body, removed behind it.
    static func withTemporaryFolder<R>(_ body: (URL) throws -> R) throws -> R {
        let folder = FileManager.default.temporaryDirectory.appending(path: "tollgate-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder)
    }
}

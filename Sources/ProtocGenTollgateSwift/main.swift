import Glibc
import Protobuf

// protoc hands over a CodeGeneratorRequest on standard input and takes a CodeGeneratorResponse from standard output.
// Source: google/protobuf/compiler/plugin.proto

/// Everything on standard input; nil when it cannot be read.
func readStandardInput() -> [UInt8]? {
    var input: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(STDIN_FILENO, &chunk, chunk.count)
        if count == 0 { return input }
        if count > 0 {
            input += chunk[..<count]
        } else if errno != EINTR {
            return nil
        }
    }
}

/// Writes all of it to a file descriptor; false when that cannot be done.
func writeAll(_ output: [UInt8], to descriptor: Int32) -> Bool {
    var written = 0
    while written < output.count {
        let count = output.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, $0.count - written) }
        if count > 0 {
            written += count
        } else if errno != EINTR {
            return false
        }
    }
    return true
}

/// Says why nothing can be done and ends the program.
func fail(_ reason: String) -> Never {
    _ = writeAll(Array("protoc-gen-tollgate-swift: \(reason)\n".utf8), to: STDERR_FILENO)
    exit(1)
}

guard let input = readStandardInput() else { fail("standard input cannot be read") }
do throws(WireError) {
    let request = try CodeGeneratorRequest(wireBytes: input)
    guard writeAll(generate(request).wireBytes(), to: STDOUT_FILENO) else { fail("standard output cannot be written") }
} catch {
    fail("standard input is no CodeGeneratorRequest (\(error)); this program is called by protoc")
}

import FuzzTargets
import Glibc

/// libFuzzer's own main: takes the arguments apart, and calls the function with one input after the other.
/// Source: https://llvm.org/docs/LibFuzzer.html#using-libfuzzer-as-a-library
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ argumentCount: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// `fuzz list`, `fuzz seeds TARGET DIRECTORY`, or `fuzz TARGET` with libFuzzer's arguments behind it.
@main
enum Fuzzer {
    private static let targetVariable = "TOLLGATE_FUZZ_TARGET"
    /// What this process fuzzes; set once, before the first input.
    nonisolated(unsafe) private static var target = FuzzTarget.all[0]

    static func main() {
        let arguments = CommandLine.arguments
        switch arguments.dropFirst().first {
        case "list":
            for target in FuzzTarget.all { print(target.name) }
        case "seeds" where arguments.count == 4:
            writeSeeds(of: find(arguments[2]), to: arguments[3])
        case let option? where option.hasPrefix("-"):
            // A process that libFuzzer started, as it does to merge: the target is the one of its parent.
            target = find(getenv(targetVariable).map { String(cString: $0) } ?? "")
            fuzz(argumentsFrom: 0)
        case let name?:
            target = find(name)
            setenv(targetVariable, name, 1)
            // The target's name is no argument of libFuzzer's.
            CommandLine.unsafeArgv[1] = CommandLine.unsafeArgv[0]
            fuzz(argumentsFrom: 1)
        case nil:
            fail("which target? 'fuzz list' names them")
        }
    }

    private static func find(_ name: String) -> FuzzTarget {
        guard let target = FuzzTarget.named(name) else { fail("there is no target \(name)") }
        return target
    }

    private static func fuzz(argumentsFrom first: Int) {
        var count = CommandLine.argc - Int32(first)
        var arguments = CommandLine.unsafeArgv + first
        let status = runDriver(&count, &arguments) { bytes, count in
            do {
                try Fuzzer.target.check(UnsafeRawBufferPointer(start: bytes, count: count))
            } catch {
                Fuzzer.complain("a promise is broken: \(error)")
                abort()
            }
            return 0
        }
        exit(status)
    }

    /// Each seed as a file that is named by its place.
    private static func writeSeeds(of target: FuzzTarget, to directory: String) {
        mkdir(directory, 0o755)
        for (index, seed) in target.seeds().enumerated() {
            guard let file = fopen("\(directory)/seed-\(index)", "w") else { fail("\(directory) cannot be written") }
            fwrite(seed, 1, seed.count, file)
            fclose(file)
        }
    }

    private static func fail(_ text: String) -> Never {
        complain("fuzz: \(text)")
        exit(2)
    }

    private static func complain(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = write(STDERR_FILENO, line, line.count)
    }
}

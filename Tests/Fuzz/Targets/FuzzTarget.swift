/// One thing that strangers, or a damaged disk, may hand any bytes to.
///
/// `check` runs it over an input and over what must hold for every input: no crash, and a property beside it, such as a
/// round trip or two implementations that agree. The same functions run under libFuzzer and in the ordinary tests.
package struct FuzzTarget: Sendable {
    /// Names its folder in the corpus.
    package let name: String
    /// What to begin with: real encodings and edge cases, which a fuzzer would be long to find.
    package let seeds: @Sendable () -> [[UInt8]]
    /// Throws `BrokenPromise` where something does not hold.
    package let check: @Sendable (UnsafeRawBufferPointer) throws -> Void

    /// All of them, each for what it is named.
    package static let all: [FuzzTarget] = [
        .protobuf, .json, .catalog, .trace,
        .deframer, .metadata, .requestHead, .timeout, .percent, .response,
        .stepRequest, .stepAnswer, .record, .journal,
        .pageToken, .timeText, .identifiers,
    ]

    package static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }
}

/// Something that must hold for every input did not.
package struct BrokenPromise: Error, CustomStringConvertible {
    package let description: String
}

/// Throws unless the condition holds.
func hold(_ condition: Bool, _ promise: @autoclosure () -> String) throws {
    if !condition { throw BrokenPromise(description: promise()) }
}

/// What must not be: throws.
func broken(_ promise: String) -> BrokenPromise { BrokenPromise(description: promise) }

/// Takes an input apart: a few bytes that choose, then the rest. Whoever asks for more than there is gets zeros.
struct FuzzInput {
    private var bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isEmpty: Bool { bytes.isEmpty }

    /// What was not taken.
    var rest: UnsafeRawBufferPointer { bytes }

    /// What was not taken, as text; what is not UTF-8 is replaced.
    var text: String { String(decoding: bytes, as: UTF8.self) }

    mutating func byte() -> UInt8 {
        guard let byte = bytes.first else { return 0 }
        bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
        return byte
    }

    /// A number of two bytes.
    mutating func number() -> Int { Int(byte()) << 8 | Int(byte()) }

    /// At most so many bytes.
    mutating func take(_ count: Int) -> UnsafeRawBufferPointer {
        let part = UnsafeRawBufferPointer(rebasing: bytes.prefix(count))
        bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(part.count))
        return part
    }
}

extension Array where Element == UInt8 {
    /// The bytes of a text, for seeds.
    static func text(_ text: String) -> [UInt8] { Array(text.utf8) }
}

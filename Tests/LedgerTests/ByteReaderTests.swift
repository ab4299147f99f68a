import SeededRandom
import Testing

@testable import Ledger

/// Numbers are read as they were written, wherever they end.
@Suite struct ByteReaderTests {
    /// With and without bytes after it, as eight bytes are read at once where there are so many.
    @Test func aVarintOfAnyLengthIsReadAsItWasWritten() {
        var random = SeededRandom(seed: 1)
        for bits in 0..<64 {
            for value in [
                1 << bits, 1 << bits - 1, UInt64.random(in: 0 ... .max, using: &random) >> UInt64(63 - bits),
                .max >> UInt64(63 - bits),
            ] {
                for tail in [0, 1, 7, 20] {
                    var bytes: [UInt8] = []
                    ByteWriter.append(to: &bytes) { $0.appendVarint(value) }
                    bytes += [UInt8](repeating: 0xFF, count: tail)
                    bytes.withUnsafeBytes { bytes in
                        var reader = ByteReader(bytes)
                        let read = Result { () throws(CodecError) in try reader.varint() }
                        #expect(read == .success(value))
                        #expect(reader.remaining == tail)
                    }
                }
            }
        }
    }

    @Test(arguments: [
        ([UInt8](repeating: 0x80, count: 7), CodecError.truncated),
        ([UInt8](repeating: 0x80, count: 9), .truncated),
        ([UInt8](repeating: 0xFF, count: 9) + [2], .invalid(field: .varint)),
    ])
    func aVarintThatDoesNotEndIsAnError(bytes: [UInt8], error: CodecError) {
        bytes.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes)
            let read = Result { () throws(CodecError) in try reader.varint() }
            #expect(read == .failure(error))
        }
    }
}

import Glibc

/// Makes ids of steps: UUIDs of version 7 (RFC 9562, section 5.7), random within a millisecond.
///
/// Half the cost of `TollgateClient.UUIDv7`: no lock, no system call for random bits, no clock of its own. An id is kept as two
/// numbers and becomes text only where it is written or compared.
struct StepIDs {
    struct ID {
        var high: UInt64 = 0
        var low: UInt64 = 0
    }

    /// The length of an id as text.
    static let textByteCount = 36

    private var state: UInt64
    /// What the monotonic clock lacks to the time of day.
    private let offsetNs: Int64

    /// Ids that no other generator makes, unless it is given the same seed.
    init(seed: UInt64 = UInt64.random(in: 0 ... .max)) {
        state = seed
        offsetNs = realtimeNs() - monotonicNs()
    }

    /// A new id of this moment of the monotonic clock.
    mutating func next(nowNs: Int64) -> ID {
        let milliseconds = UInt64(nowNs &+ offsetNs) / 1_000_000
        return ID(high: milliseconds << 16 | 0x7000 | random() >> 52, low: 1 << 63 | random() >> 2)
    }

    /// SplitMix64.
    private mutating func random() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

extension StepIDs.ID {
    /// Writes the usual form: 8, 4, 4, 4 and 12 digits.
    func write(to text: UnsafeMutableRawPointer) {
        HexDigits.write(high >> 32, byteCount: 4, to: text)
        HexDigits.write(high >> 16, byteCount: 2, to: text + 9)
        HexDigits.write(high, byteCount: 2, to: text + 14)
        HexDigits.write(low >> 48, byteCount: 2, to: text + 19)
        HexDigits.write(low, byteCount: 6, to: text + 24)
        let hyphen = UInt8(ascii: "-")
        text.storeBytes(of: hyphen, toByteOffset: 8, as: UInt8.self)
        text.storeBytes(of: hyphen, toByteOffset: 13, as: UInt8.self)
        text.storeBytes(of: hyphen, toByteOffset: 18, as: UInt8.self)
        text.storeBytes(of: hyphen, toByteOffset: 23, as: UInt8.self)
    }

    /// Whether a text is this id in its usual form.
    func isText(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count == StepIDs.textByteCount else { return false }
        return withUnsafeTemporaryAllocation(byteCount: StepIDs.textByteCount, alignment: 8) { own in
            write(to: own.baseAddress!)
            return memcmp(own.baseAddress!, text.baseAddress!, StepIDs.textByteCount) == 0
        }
    }
}

/// The two hexadecimal digits of each byte.
private enum HexDigits {
    // Written once and kept for the life of the process.
    nonisolated(unsafe) private static let ofByte: UnsafeMutablePointer<UInt16> = {
        let table = UnsafeMutablePointer<UInt16>.allocate(capacity: 256)
        let digits = Array("0123456789abcdef".utf8)
        for byte in 0..<256 {
            table[byte] = UInt16(littleEndian: UInt16(digits[byte & 15]) << 8 | UInt16(digits[byte >> 4]))
        }
        return table
    }()

    /// Writes the lowest bytes of a number, the highest of them first.
    @inline(__always)
    static func write(_ value: UInt64, byteCount: Int, to text: UnsafeMutableRawPointer) {
        let table = ofByte
        for index in 0..<byteCount {
            let byte = Int(truncatingIfNeeded: value >> UInt64((byteCount - 1 - index) * 8)) & 0xFF
            text.storeBytes(of: table[byte], toByteOffset: index * 2, as: UInt16.self)
        }
    }
}

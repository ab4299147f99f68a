import Glibc
import Locks

/// Makes ids of steps: UUIDs of version 7 (RFC 9562, section 5.7), each greater than all that this process made before.
///
/// ```swift
/// let id = UUIDv7.make()  // "0199f0c2-5d4e-7a31-9c0d-2b6f1e8a4477"
/// ```
/// The time in front keeps the ids of one moment close to each other in the server's indexes. Within one millisecond, and
/// where the clock goes back, the random part counts upwards.
public enum UUIDv7 {
    private static let last = Protected(Generator())

    /// A new id, as 36 characters in lower case.
    public static func make() -> String {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let milliseconds = UInt64(time.tv_sec) * 1_000 + UInt64(time.tv_nsec) / 1_000_000
        return last.withLock { generator in
            var random = SystemRandomNumberGenerator()
            return text(of: generator.next(atMs: milliseconds, using: &random))
        }
    }

    /// The usual form of 128 bits: 8, 4, 4, 4 and 12 digits.
    static func text(of id: (high: UInt64, low: UInt64)) -> String {
        String(unsafeUninitializedCapacity: 36) { out in
            var count = 0
            for index in 0..<32 {
                if index == 8 || index == 12 || index == 16 || index == 20 {
                    out[count] = UInt8(ascii: "-")
                    count += 1
                }
                let half = index < 16 ? id.high : id.low
                let digit = UInt8(truncatingIfNeeded: half >> UInt64(60 - index % 16 * 4) & 0xF)
                out[count] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                count += 1
            }
            return count
        }
    }

    /// The order of ids without clock and lock: what comes next depends on what was given out and on what is handed in.
    struct Generator {
        /// The time of the last id, 48 bits.
        private var milliseconds: UInt64 = 0
        /// The 12 bits after the version.
        private var counter: UInt64 = 0
        /// The 62 bits after the variant.
        private var tail: UInt64 = 0

        /// The next id: random where the time is new, else the last one plus a random step.
        mutating func next(
            atMs now: UInt64, using random: inout some RandomNumberGenerator
        ) -> (high: UInt64, low: UInt64) {
            if now & Self.timeMask > milliseconds {
                milliseconds = now & Self.timeMask
                // The top bit stays free so that a busy millisecond has room to count.
                counter = random.next() & 0x7FF
                tail = random.next() & Self.tailMask
            } else {
                advance(by: UInt64.random(in: 1...0xFFFF_FFFF, using: &random))
            }
            return (milliseconds << 16 | 0x7000 | counter, 0x8000_0000_0000_0000 | tail)
        }

        /// Adds to the number that the three parts form, so that the order holds over every carry.
        private mutating func advance(by step: UInt64) {
            tail += step
            guard tail > Self.tailMask else { return }
            tail &= Self.tailMask
            counter += 1
            guard counter > 0xFFF else { return }
            counter = 0
            milliseconds = (milliseconds + 1) & Self.timeMask
        }

        private static let timeMask: UInt64 = 0xFFFF_FFFF_FFFF
        private static let tailMask: UInt64 = 0x3FFF_FFFF_FFFF_FFFF
    }
}

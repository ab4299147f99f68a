import COpenSSL
import Storage

/// A key that a caller shows: `tg_` and 64 lower-case hexadecimal digits, the 32 random bytes behind it. It is shown
/// once; its description hides it, so that no log keeps it by accident.
package struct APIKey: Sendable {
    /// The key itself, a secret.
    package let text: String

    static let prefix: StaticString = "tg_"
    static let randomByteCount = 32
    /// How long every key's text is.
    static let textByteCount = prefix.utf8CodeUnitCount + 2 * randomByteCount

    /// A new key; nil where the system has no randomness to give.
    package static func generate() -> APIKey? {
        var random = [UInt8](repeating: 0, count: randomByteCount)
        guard RAND_bytes(&random, Int32(randomByteCount)) == 1 else { return nil }
        return APIKey(randomBytes: random)
    }

    /// The key of 32 bytes.
    package init(randomBytes: [UInt8]) {
        precondition(randomBytes.count == Self.randomByteCount, "A key is made of 32 bytes.")
        text = String(unsafeUninitializedCapacity: Self.textByteCount) { buffer in
            var position = 0
            Self.prefix.withUTF8Buffer { prefix in
                for byte in prefix {
                    buffer[position] = byte
                    position += 1
                }
            }
            for byte in randomBytes {
                buffer[position] = Self.hexDigit(byte >> 4)
                buffer[position + 1] = Self.hexDigit(byte & 0xF)
                position += 2
            }
            return position
        }
    }

    private static func hexDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
    }

    /// What the server keeps of it.
    package var digest: KeyDigest {
        var text = text
        return text.withUTF8 { KeyDigest(of: UnsafeRawBufferPointer($0)) }
    }
}

extension APIKey: CustomStringConvertible, CustomReflectable {
    package var description: String { "tg_…" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension KeyDigest {
    /// The digest of the key in an `authorization` header, `Bearer <key>`; nil where that does not have a key's shape.
    /// The scheme's case does not matter (RFC 9110, section 11.1).
    package init?(authorization header: UnsafeRawBufferPointer) {
        guard let start = KeyDigest.credentialStart(header) else { return nil }
        let key = UnsafeRawBufferPointer(rebasing: header[start...])
        guard KeyDigest.hasShapeOfKey(key) else { return nil }
        self.init(of: key)
    }

    /// Where the credential begins after `Bearer` and its blanks.
    private static func credentialStart(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let scheme: StaticString = "bearer"
        let length = scheme.utf8CodeUnitCount
        guard bytes.count > length, bytes[length] == UInt8(ascii: " ") else { return nil }
        let matches = scheme.withUTF8Buffer { scheme in
            (0..<length).allSatisfy { bytes[$0] | 0x20 == scheme[$0] }
        }
        guard matches else { return nil }
        var start = length
        while start < bytes.count, bytes[start] == UInt8(ascii: " ") { start += 1 }
        return start
    }

    private static func hasShapeOfKey(_ key: UnsafeRawBufferPointer) -> Bool {
        guard key.count == APIKey.textByteCount else { return false }
        let prefixCount = APIKey.prefix.utf8CodeUnitCount
        return APIKey.prefix.withUTF8Buffer { key[..<prefixCount].elementsEqual($0) }
    }
}

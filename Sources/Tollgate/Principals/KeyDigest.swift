import COpenSSL

/// The SHA-256 of a key: all that the server keeps of it. Two of them are compared in constant time.
package struct KeyDigest: Sendable {
    private let words: (UInt64, UInt64, UInt64, UInt64)

    package static let byteCount = 32

    /// The digest of a key's text.
    package init(of key: UnsafeRawBufferPointer) {
        self = SHA256.withDigest(of: key) { KeyDigest(loading: $0) }
    }

    /// A digest that was stored; nil where it does not have 32 bytes.
    package init?(stored bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        self = Array(bytes).withUnsafeBytes { KeyDigest(loading: $0) }
    }

    private init(loading bytes: UnsafeRawBufferPointer) {
        words = (
            bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self),
            bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
            bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self),
            bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
        )
    }

    /// The 32 bytes, as they are stored.
    package var bytes: [UInt8] {
        withUnsafeBytes(of: words) { Array($0) }
    }
}

extension KeyDigest: Hashable {
    package static func == (a: KeyDigest, b: KeyDigest) -> Bool {
        withUnsafeBytes(of: a.words) { a in
            withUnsafeBytes(of: b.words) { b in CRYPTO_memcmp(a.baseAddress, b.baseAddress, byteCount) == 0 }
        }
    }

    /// One word is enough: a digest's words are as good as random.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
    }
}
